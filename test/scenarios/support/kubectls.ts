import { existsSync, globSync, mkdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { run } from './run.ts';

export interface Kubectl {
  readonly path: string;
  /** `1.32`. */
  readonly version: string;
}

const CACHE = resolve(import.meta.dirname, '../../../.cache/kubectl');

/** Every kubectl of this machine, one a minor version: on PATH, versioned neighbours of those, and Debian's package. */
export async function findKubectls(): Promise<readonly Kubectl[]> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'kubectl'));
  const installed = onPath.filter((path) => existsSync(path)).map((path) => realpathSync(path));
  const neighbours = installed.flatMap((path) => globSync(`${dirname(path)}/kubectl.1.*`));
  const found = new Map<string, Kubectl>();
  for (const path of new Set([...neighbours.sort(), ...installed, ...(await debianKubectl())])) {
    const version = await versionOf(path);
    if (version !== undefined && !found.has(version)) found.set(version, { path, version });
  }
  return [...found.values()].sort((a, b) => Number(a.version.slice(2)) - Number(b.version.slice(2)));
}

async function versionOf(path: string): Promise<string | undefined> {
  const { code, stdout } = await run([path, 'version', '--client', '-o', 'json']);
  if (code !== 0) return undefined;
  const { clientVersion }: { clientVersion?: { major: string; minor: string } } = JSON.parse(stdout);
  return clientVersion === undefined
    ? undefined
    : `${clientVersion.major}.${Number.parseInt(clientVersion.minor, 10)}`;
}

/** Debian's kubectl, unpacked beside the checkout without being installed; none where there is no apt. */
async function debianKubectl(): Promise<readonly string[]> {
  const path = join(CACHE, 'usr/bin/kubectl');
  if (existsSync(path)) return [path];
  mkdirSync(CACHE, { recursive: true });
  const options = { cwd: CACHE, timeoutMs: 120_000 };
  const download = ['apt-get', 'download', '-q', 'kubernetes-client'];
  const got = await run(download, options).catch(() => undefined);
  if (got?.code !== 0) return [];
  for (const deb of globSync(`${CACHE}/kubernetes-client_*.deb`))
    await run(['dpkg-deb', '-x', deb, CACHE], options);
  return existsSync(path) ? [path] : [];
}
