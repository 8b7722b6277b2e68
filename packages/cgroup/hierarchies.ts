import { join } from 'node:path';
import { CONTROLLERS, type Controller } from './ports.ts';

/** Where this process is in the machine's control groups. */
export type Hierarchies =
  | { readonly version: 1; readonly own: ReadonlyMap<Controller, string> }
  /** `mount` is the highest directory of the hierarchy that is seen here. */
  | { readonly version: 2; readonly mount: string; readonly own: string }
  | { readonly version: undefined };

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/**
 * Finds the groups of this process. A machine in hybrid mode counts as version 1, where its controllers are.
 * @param mountinfo the text of /proc/self/mountinfo (proc_pid_mountinfo(5))
 * @param membership the text of /proc/self/cgroup (cgroups(7))
 */
export function findHierarchies(mountinfo: string, membership: string): Hierarchies {
  const mounts = mountinfo.split('\n').flatMap(parseMount);
  const lines = membership.trim().split('\n').map(parseMembership);
  const own = new Map<Controller, string>();
  for (const controller of CONTROLLERS) {
    const path = lines.find(({ controllers }) => controllers.includes(controller))?.path;
    const mount = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller));
    const directory = path === undefined || mount === undefined ? undefined : directoryOf(mount, path);
    if (directory !== undefined) own.set(controller, directory);
  }
  if (own.size > 0) return { version: 1, own };
  const unified = mounts.find(({ type }) => type === 'cgroup2');
  const path = lines.find(({ id }) => id === '0')?.path;
  const directory = unified === undefined || path === undefined ? undefined : directoryOf(unified, path);
  return unified === undefined || directory === undefined
    ? { version: undefined }
    : { version: 2, mount: unified.point, own: directory };
}

function parseMount(line: string): readonly Mount[] {
  const [left = '', right = ''] = line.split(' - ');
  const [, , , root = '', point = ''] = left.split(' ').map(unescapeField);
  const [type = '', , options = ''] = right.split(' ');
  return type === 'cgroup' || type === 'cgroup2' ? [{ root, point, type, options: options.split(',') }] : [];
}

function unescapeField(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function parseMembership(line: string) {
  const match = /^(\d+):([^:]*):(.*)$/.exec(line);
  return { id: match?.[1] ?? '', controllers: (match?.[2] ?? '').split(','), path: match?.[3] ?? '' };
}

/** undefined when the group lies outside what is mounted, as `/..` says. */
function directoryOf({ root, point }: Mount, path: string): string | undefined {
  if (path.split('/').includes('..')) return undefined;
  const below = root === '/' ? path : path.slice(root.length);
  if (root !== '/' && path !== root && !path.startsWith(`${root}/`)) return undefined;
  return below === '/' || below === '' ? point : join(point, below);
}
