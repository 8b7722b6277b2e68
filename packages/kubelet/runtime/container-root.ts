import { chmodSync, lstatSync, mkdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { PodConfigError } from '../plan/errors.ts';
import { formatFstab, type MountLine } from './fstab.ts';
import type { RootEntry, RootLayout } from './root-layout.ts';

/** Device files of the host that a container gets (runc's default list). */
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const;

/**
 * The root of one container: a skeleton of directories on the lab's tmpfs, and the mounts that fill it, which the
 * container's init makes in its own mount namespace.
 */
export class ContainerRoot {
  /** Where the root is, before it becomes `/`. */
  readonly path: string;
  readonly #dir: string;
  readonly #entries: ReadonlyMap<string, RootEntry>;
  readonly #mounts: MountLine[] = [];
  readonly #volumes: { readonly source: string; readonly target: string }[] = [];
  #serial = 0;

  /**
   * @param dir an empty directory of the container's own, on the lab's tmpfs
   * @param options.hostTerminals the container's own terminal is one of the host's, which it must see in /dev/pts
   */
  constructor(dir: string, layout: RootLayout, options: { readonly hostTerminals?: boolean } = {}) {
    this.#dir = dir;
    this.path = join(dir, 'rootfs');
    this.#entries = new Map(layout.entries.map((entry) => [entry.name, entry]));
    mkdirSync(join(this.path, '.old'), { recursive: true });
    this.#mounts.push({ source: this.path, target: this.path, type: 'none', options: 'bind' });
    for (const entry of layout.entries) this.#addEntry(entry, layout);
    for (const point of layout.submounts) this.bindHost(point);
    this.#addSystem(layout, options.hostTerminals === true);
  }

  /** Makes a directory or file of the host visible at `target` (the same path unless given). */
  bind(source: string, target: string, readOnly = false): void {
    const path = this.resolve(target);
    this.#makeMountPoint(path, statSync(source).isDirectory());
    this.#mounts.push({
      source,
      target: join(this.path, path),
      type: 'none',
      options: readOnly ? 'rbind,ro' : 'rbind',
    });
  }

  /** Mounts a volume, or what is at `subPath` inside it, which is made as a directory when it is not there. */
  bindVolume(volume: string, subPath: string, target: string, readOnly: boolean): void {
    const source = join(volume, subPath);
    if (subPath !== '' && statSync(source, { throwIfNoEntry: false }) === undefined)
      mkdirSync(source, { recursive: true });
    this.bind(source, target, readOnly);
    this.#volumes.push({ source, target: this.resolve(target) });
  }

  /** As {@link bind}, at the same path, for a mount of the host; one that this user cannot see is left out. */
  bindHost(path: string): void {
    try {
      this.bind(path, path);
    } catch {
      // Not readable for this user: nobody in the container could read it either.
    }
  }

  mount(line: MountLine): void {
    const path = this.resolve(line.target);
    this.#makeMountPoint(path, true);
    this.#mounts.push({ ...line, target: join(this.path, path) });
  }

  /** Puts a file into the root. */
  writeFile(target: string, content: string | Uint8Array, mode = 0o644): void {
    const path = this.resolve(target);
    const written = this.#writable(path);
    const file = written ?? join(this.#dir, `file-${this.#serial++}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, mode);
    if (written === undefined)
      this.#mounts.push({ source: file, target: join(this.path, path), type: 'none', options: 'bind' });
  }

  /** Puts a symbolic link into the root; where that is not possible the host's own name stays. */
  link(target: string, path: string): void {
    const written = this.#writable(this.resolve(path));
    if (written === undefined) return;
    mkdirSync(dirname(written), { recursive: true });
    symlinkSync(target, written);
  }

  /** Makes sure that a directory is there, as a WORKDIR is. */
  makeDirectory(path: string): void {
    const resolved = this.resolve(path);
    if (this.#stat(resolved) === undefined) this.#makeMountPoint(resolved, true);
  }

  /** The table of mounts for `mount --all --fstab`. */
  get fstab(): string {
    return formatFstab(this.#mounts);
  }

  /** Follows the symbolic links of a path as they are inside the container. */
  resolve(path: string): string {
    let rest = normalize(`/${path}`)
      .split('/')
      .filter((part) => part !== '');
    let done: string[] = [];
    for (let links = 0; rest.length > 0; ) {
      const [part = '', ...others] = rest;
      rest = others;
      const next = [...done, part];
      const target = this.#readLink(`/${next.join('/')}`);
      if (target === undefined) {
        done = next;
        continue;
      }
      if (++links > 40) throw new PodConfigError(`${path}: too many levels of symbolic links`);
      const base = target.startsWith('/') ? target : `/${[...done, target].join('/')}`;
      rest = [
        ...normalize(base)
          .split('/')
          .filter((name) => name !== ''),
        ...rest,
      ];
      done = [];
    }
    return `/${done.join('/')}`;
  }

  #addEntry(entry: RootEntry, layout: RootLayout): void {
    const target = join(this.path, entry.name);
    if (entry.kind === 'symlink') symlinkSync(entry.target, target);
    else mkdirSync(target);
    if (entry.kind === 'bind')
      this.#mounts.push({ source: entry.lower, target, type: 'none', options: 'rbind' });
    if (entry.kind !== 'overlay') return;
    const upper = join(this.#dir, 'fs', entry.name, 'upper');
    const work = join(this.#dir, 'fs', entry.name, 'work');
    mkdirSync(upper, { recursive: true });
    mkdirSync(work);
    chmodSync(upper, statSync(entry.lower).mode & 0o7777);
    this.#mounts.push({
      source: 'overlay',
      target,
      type: 'overlay',
      options: `lowerdir=${entry.lower},upperdir=${upper},workdir=${work}${layout.overlayOptions}`,
    });
  }

  #addSystem(layout: RootLayout, hostTerminals: boolean): void {
    const at = (name: string) => join(this.path, name);
    this.#mounts.push(
      layout.freshProc
        ? { source: 'proc', target: at('proc'), type: 'proc', options: 'nosuid,nodev,noexec' }
        : { source: '/proc', target: at('proc'), type: 'none', options: 'rbind' },
      layout.freshSys
        ? { source: 'sysfs', target: at('sys'), type: 'sysfs', options: 'nosuid,nodev,noexec,ro' }
        : { source: '/sys', target: at('sys'), type: 'none', options: 'rbind' },
    );
    for (const name of ['tmp', 'dev/shm']) {
      mkdirSync(at(name), { recursive: true });
      chmodSync(at(name), 0o1777);
    }
    for (const name of ['dev/pts', 'run/lock']) mkdirSync(at(name), { recursive: true });
    const devpts = {
      source: 'devpts',
      type: 'devpts',
      options: 'newinstance,ptmxmode=0666,mode=0620,nosuid,noexec',
    };
    const shared = { source: '/dev/pts', type: 'none', options: 'bind' };
    this.#mounts.push({ ...(hostTerminals ? shared : devpts), target: at('dev/pts') });
    for (const name of DEVICES) {
      writeFileSync(at(`dev/${name}`), '');
      this.#mounts.push({ source: `/dev/${name}`, target: at(`dev/${name}`), type: 'none', options: 'bind' });
    }
    symlinkSync('pts/ptmx', at('dev/ptmx'));
    symlinkSync('/proc/self/fd', at('dev/fd'));
    for (const [index, name] of ['stdin', 'stdout', 'stderr'].entries())
      symlinkSync(`/proc/self/fd/${index}`, at(`dev/${name}`));
  }

  #makeMountPoint(path: string, directory: boolean): void {
    if (path === '/') throw new PodConfigError('mounting over "/" is not possible');
    const written = this.#writable(path);
    if (written === undefined) {
      if (this.#stat(path) !== undefined) return;
      throw new PodConfigError(
        `cannot mount at ${path}: it is not there, and nothing can be made there on this machine`,
      );
    }
    this.#copyParents(path);
    if (directory) mkdirSync(written, { recursive: true });
    else {
      mkdirSync(dirname(written), { recursive: true });
      writeFileSync(written, '', { flag: 'a' });
    }
  }

  /** Directories made above the host's own hide their modes, so they take them over. */
  #copyParents(path: string): void {
    const parts = path.split('/').slice(1);
    for (let length = 2; length <= parts.length; length++) {
      const part = `/${parts.slice(0, length).join('/')}`;
      const written = this.#writable(part);
      const host = this.#stat(part);
      if (written === undefined || host === undefined || !host.isDirectory()) continue;
      mkdirSync(written, { recursive: true });
      chmodSync(written, host.mode & 0o7777);
    }
  }

  /** Where a path of the container can be written before it starts; undefined below a directory of the host. */
  #writable(path: string): string | undefined {
    const volume = this.#volumes.findLast(({ target }) => path.startsWith(`${target}/`));
    if (volume !== undefined) return join(volume.source, path.slice(volume.target.length));
    const [, first = '', ...rest] = path.split('/');
    const entry = this.#entries.get(first);
    if (entry === undefined || entry.kind === 'own' || entry.kind === 'symlink') return join(this.path, path);
    return entry.kind === 'overlay' ? join(this.#dir, 'fs', first, 'upper', ...rest) : undefined;
  }

  #candidates(path: string): readonly string[] {
    const [, first = '', ...rest] = path.split('/');
    const entry = this.#entries.get(first);
    const written = this.#writable(path);
    const lower = entry?.kind === 'overlay' || entry?.kind === 'bind' ? [join(entry.lower, ...rest)] : [];
    return written === undefined ? lower : [written, ...lower];
  }

  #stat(path: string) {
    for (const candidate of this.#candidates(path)) {
      const found = lstatSync(candidate, { throwIfNoEntry: false });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #readLink(path: string): string | undefined {
    for (const candidate of this.#candidates(path)) {
      const found = lstatSync(candidate, { throwIfNoEntry: false });
      if (found !== undefined) return found.isSymbolicLink() ? readlinkSync(candidate) : undefined;
    }
    return undefined;
  }
}
