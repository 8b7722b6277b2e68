import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage, PodwayError } from '#runtime';

/** Where the virtual machine's parts are on disk. */
export interface VmFiles {
  /** The kernel, an ordinary program. */
  readonly kernel: string;
  readonly busybox: string;
  /** A modprobe for the kernel's modules. */
  readonly modprobe: string;
}

/** The virtual machine cannot be set up here. */
export class VmUnavailableError extends PodwayError {
  readonly code = 'VmUnavailable';
}

const PACKAGES = ['user-mode-linux', 'kmod', 'libkmod2', 'busybox-static'];
/** Changes when what is made below changes, so that a cache of before is not used. */
const LAYOUT = 2;
/** Modules that Debian's user-mode-linux leaves out, one directory a kernel version: nf_tables for the IP families, NAT. */
const NFT_MODULES = join(resolve(import.meta.dirname, '../../../shared/vm'), 'uml-nft-*');

const execute = promisify(execFile);

/**
 * The parts, from the cache or from Debian's packages (43 MB, some ten seconds, once): nothing is installed.
 * @throws VmUnavailableError
 */
export async function vmFiles(): Promise<VmFiles> {
  const nft = globSync(NFT_MODULES).sort();
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'podway', 'vm');
  const home = join(cache, [LAYOUT, ...nft.map((path) => basename(path))].join('-'));
  if (!existsSync(home)) {
    if (process.arch !== 'x64')
      throw new VmUnavailableError(`user-mode-linux is for x64, this is ${process.arch}`);
    await mkdir(cache, { recursive: true });
    const draft = await mkdtemp(join(cache, 'draft-'));
    try {
      await unpack(draft);
      await arrange(draft, nft);
      await rename(draft, home).catch((error: unknown) => {
        // Another run was as quick.
        if (!existsSync(home)) throw error;
      });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  const find = (name: string) => findIn(home, name);
  return { kernel: find('bin/linux.uml'), busybox: find('bin/busybox'), modprobe: join(home, 'modprobe') };
}

async function unpack(directory: string): Promise<void> {
  const packages = join(directory, 'packages');
  await mkdir(packages);
  const download = () => call('apt-get', ['download', '-q', ...PACKAGES], packages);
  await download().catch(async (error: unknown) => {
    // The lists may be missing; only root can fetch them.
    if (process.getuid?.() !== 0) throw error;
    await call('apt-get', ['update', '-qq'], packages);
    await download();
  });
  for (const file of await readdir(packages))
    await call('dpkg-deb', ['-x', join(packages, file), join(directory, 'root')], directory);
  await rm(packages, { recursive: true });
}

/** Puts the modules where modprobe looks for them, with those of `nft`, and makes a modprobe that looks there. */
async function arrange(directory: string, nft: readonly string[]): Promise<void> {
  const root = join(directory, 'root');
  const modules = join(root, 'lib/modules');
  await mkdir(dirname(modules), { recursive: true });
  await rename(join(root, 'usr/lib/uml/modules'), modules);
  const libraries = dirname(findIn(root, 'libkmod.so.2'));
  // kmod is the tool whose name it is called by.
  const tools = join(directory, 'tools');
  await mkdir(tools);
  for (const name of ['depmod', 'modprobe'])
    await symlink(relative(tools, findIn(root, 'bin/kmod')), join(tools, name));
  for (const version of await readdir(modules)) {
    for (const added of nft.filter((path) => path.endsWith(`-${version}`)))
      for (const file of await readdir(added)) {
        const [known] = globSync(join(modules, version, '**', file));
        await cp(join(added, file), known ?? join(modules, version, 'kernel/net/netfilter', file));
      }
    await call(join(tools, 'depmod'), ['-b', root, version], directory, { LD_LIBRARY_PATH: libraries });
  }
  const script = [
    '#!/bin/sh',
    // No program is started to tell: the kernel may want many modules.
    `home=\${0%/*}`,
    `LD_LIBRARY_PATH=$home/${relative(directory, libraries)} exec "$home/tools/modprobe" -d "$home/root" "$@"`,
  ];
  await writeFile(join(directory, 'modprobe'), `${script.join('\n')}\n`);
  await chmod(join(directory, 'modprobe'), 0o755);
}

function findIn(directory: string, name: string): string {
  const [path] = globSync(join(directory, '**', name));
  if (path === undefined) throw new VmUnavailableError(`the packages have no ${name}`);
  return path;
}

async function call(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  try {
    await execute(command, args, { cwd, env: { ...process.env, ...env } });
  } catch (error) {
    const words = errorMessage(error).trim().split('\n').at(-1);
    throw new VmUnavailableError(`${[command, ...args].join(' ')}: ${words}`, { cause: error });
  }
}
