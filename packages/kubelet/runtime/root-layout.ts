import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Logger, silentLogger } from '#runtime';

/** How one entry of the host's `/` appears in a container's. */
export type RootEntry =
  | { readonly name: string; readonly kind: 'symlink'; readonly target: string }
  /** A directory of the container's own, empty at first. */
  | { readonly name: string; readonly kind: 'own' }
  /** The host's directory below, what the container writes above. */
  | { readonly name: string; readonly kind: 'overlay'; readonly lower: string }
  /** The host's directory itself, where no overlay is possible. */
  | { readonly name: string; readonly kind: 'bind'; readonly lower: string };

/** What a container's root is made of; found out once, since it depends on the kernel and on the user namespace. */
export interface RootLayout {
  readonly entries: readonly RootEntry[];
  /** Extra options of overlay mounts: `userxattr` inside a user namespace (overlayfs.rst). */
  readonly overlayOptions: string;
  /** Mounts of the host below an overlaid directory, which the overlay does not show. */
  readonly submounts: readonly string[];
  readonly freshProc: boolean;
  readonly freshSys: boolean;
}

/** Directories that every container has for itself. */
const OWN = ['proc', 'sys', 'dev', 'run', 'tmp', 'mnt', 'media', 'boot'] as const;
const HIDDEN = new Set(['lost+found', '.dockerenv', 'old_root']);

/** Tries a mount of each kind in a namespace of its own, and prints what worked. Arguments: scratch directory, names. */
const PROBE = `
set -u
scratch=$1; shift
mount -t proc proc "$scratch/m" 2>/dev/null && echo proc && umount "$scratch/m"
mount -t sysfs sysfs "$scratch/m" 2>/dev/null && echo sys && umount "$scratch/m"
options=
for try in "" ,userxattr; do
  if mount -t overlay overlay -o "lowerdir=$scratch/l,upperdir=$scratch/u,workdir=$scratch/w$try" "$scratch/m" 2>/dev/null; then
    if mkdir "$scratch/m/x" && rmdir "$scratch/m/x"; then options=$try; umount "$scratch/m"; echo "options $try"; break; fi
    umount "$scratch/m"
  fi
done
for name in "$@"; do
  mount -t overlay overlay -o "lowerdir=/$name,upperdir=$scratch/u,workdir=$scratch/w$options" "$scratch/m" 2>/dev/null && echo "overlay $name" && umount "$scratch/m"
done
exit 0
`;

const run = promisify(execFile);

/** Finds out, once, how containers' roots can be built on this machine. @param runDir on the lab's tmpfs */
export function rootLayout(runDir: string, logger: Logger = silentLogger): () => Promise<RootLayout> {
  let layout: Promise<RootLayout> | undefined;
  return () => {
    layout ??= probeRootLayout(join(runDir, 'root-probe'), logger);
    return layout;
  };
}

/**
 * Finds out how containers' roots can be built here.
 * @param scratch a directory on the lab's tmpfs
 */
async function probeRootLayout(scratch: string, logger: Logger): Promise<RootLayout> {
  rmSync(scratch, { recursive: true, force: true });
  for (const dir of ['m', 'l', 'u', 'w']) mkdirSync(join(scratch, dir), { recursive: true });
  const top = readdirSync('/', { withFileTypes: true }).filter(
    ({ name }) => !HIDDEN.has(name) && !(OWN as readonly string[]).includes(name),
  );
  const directories = top.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const { stdout } = await run(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', PROBE, 'probe', scratch, ...directories],
    { timeout: 20_000 },
  );
  const lines = new Set(stdout.split('\n'));
  const overlays = new Set(directories.filter((name) => lines.has(`overlay ${name}`)));
  const supported = [...lines].some((line) => line.startsWith('options '));
  const host = (name: string): RootEntry => {
    const lower = `/${name}`;
    // Another user's home, as /root is for an ordinary user.
    if (!isReadable(lower)) return { name, kind: 'own' };
    if (overlays.has(name)) return { name, kind: 'overlay', lower };
    logger.info('no overlay possible: containers see this directory of the host as it is', {
      directory: lower,
    });
    if (name === 'etc' && supported) return { name, kind: 'overlay', lower: copyOfEtc(scratch) };
    return { name, kind: 'bind', lower };
  };
  const links = top
    .filter((entry) => entry.isSymbolicLink())
    .map(({ name }): RootEntry => ({ name, kind: 'symlink', target: readlinkSync(`/${name}`) }));
  return {
    entries: [...OWN.map((name): RootEntry => ({ name, kind: 'own' })), ...directories.map(host), ...links],
    overlayOptions: lines.has('options ,userxattr') ? ',userxattr' : '',
    submounts: submountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), overlays),
    freshProc: lines.has('proc'),
    freshSys: lines.has('sys'),
  };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** /etc must be writable for resolv.conf and hosts, so where it cannot be a lower directory, a copy of it is. */
function copyOfEtc(scratch: string): string {
  const copy = join(scratch, 'etc');
  mkdirSync(copy, { recursive: true });
  for (const name of readdirSync('/etc'))
    try {
      cpSync(join('/etc', name), join(copy, name), { recursive: true, verbatimSymlinks: true });
    } catch {
      // A file that this user may not read is of no use to its containers either.
    }
  return copy;
}

/** The topmost mount points strictly below the given directories of `/`, from the text of mountinfo (proc_pid_mountinfo(5)). */
export function submountsBelow(mountinfo: string, directories: ReadonlySet<string>): readonly string[] {
  const points = mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point) => point !== undefined)
    .map((point) =>
      point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((point) => {
      const [, first = '', second] = point.split('/');
      // What is mounted on files of /etc is the host's own name service configuration, which containers replace.
      return second !== undefined && first !== 'etc' && directories.has(first);
    });
  const unique = [...new Set(points)].sort();
  return unique.filter((point) => !unique.some((other) => point.startsWith(`${other}/`)));
}
