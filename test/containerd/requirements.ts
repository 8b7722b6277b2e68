import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { isStatic } from './busybox-image.ts';
import { whyNoControlGroups } from './control-groups.ts';

/** Debian's directory of the reference plugins: containerd wants `loopback` of them for every Pod. */
export const REFERENCE_PLUGINS = '/usr/lib/cni';

/** Why containerd cannot run here; undefined when it can. */
export function whyNoContainerd(): string | undefined {
  if (process.getuid?.() !== 0) return 'containerd needs root';
  for (const program of ['containerd', 'ctr', 'runc', 'busybox'])
    if (findProgram(program) === undefined) return `${program} is not installed`;
  if (!isStatic(busyboxPath())) return 'busybox is not static: install busybox-static';
  if (!existsSync(join(REFERENCE_PLUGINS, 'loopback'))) return 'containernetworking-plugins is not installed';
  return whyNoControlGroups(`podway-probe-${process.pid}`);
}

export function busyboxPath(): string {
  return findProgram('busybox') ?? 'busybox';
}

function findProgram(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}
