import type { Cgroup } from './ports.ts';

/** Joins groups until `--`, then becomes the command. A process that writes 0 means itself (cgroups(7)). */
const JOIN = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"';

/** The command that runs `argv` inside a group; `argv` itself when there is none. */
export function joinCommand(cgroup: Cgroup | undefined, argv: readonly string[]): readonly string[] {
  if (cgroup === undefined || cgroup.joinFiles.length === 0) return argv;
  return ['sh', '-c', JOIN, 'podway-join', ...cgroup.joinFiles, '--', ...argv];
}
