import { nodeNames } from './addresses.ts';
import { askControl, type PodProcess } from './control-socket.ts';
import { LabError } from './errors.ts';
import { nameFlag, noSuchLab } from './lab-status.ts';
import { labPaths, netnsPath } from './paths.ts';
import { firstChildOf, isAlive } from './process-identity.ts';
import { type LabInstance, type LabRecord, readRecord } from './records.ts';
import { OUTSIDE_NETNS, ROUTER } from './topology.ts';

/** Where in a lab a command runs: in a node's (or the router's, or the outside client's) network, or in a Pod. */
export type ExecTarget =
  | { readonly kind: 'netns'; readonly name: string }
  | {
      readonly kind: 'pod';
      readonly namespace: string;
      readonly name: string;
      readonly container: string | undefined;
    };

function placeNames(nodes: number): readonly string[] {
  return [...nodeNames(nodes), ROUTER, OUTSIDE_NETNS];
}

/** A node's name, `router` or `outside` where they exist and no Pod's namespace is given; else a Pod. */
export function parseExecTarget(
  name: string,
  nodes: number,
  pod: { readonly namespace: string | undefined; readonly container: string | undefined },
): ExecTarget {
  const isPlace = placeNames(nodes).includes(name);
  if (isPlace && pod.namespace === undefined && pod.container === undefined) return { kind: 'netns', name };
  return { kind: 'pod', namespace: pod.namespace ?? 'default', name, container: pod.container };
}

export interface ExecPlace {
  /** A node, `router`, `outside`, or a Pod. */
  readonly target: string;
  readonly namespace: string | undefined;
  readonly container: string | undefined;
  /** A person sits at a terminal. */
  readonly terminal: boolean;
}

/**
 * The command line that runs `command` there, from the user's shell: nsenter(1) into the lab, and from there into the
 * place itself, whose processes and files only the lab can name.
 * @throws LabError when the lab or the Pod does not run
 */
export async function execCommand(
  labs: string,
  name: string,
  where: ExecPlace,
  command: readonly string[],
): Promise<readonly string[]> {
  const paths = labPaths(labs, name);
  const record = readRecord<LabRecord>(paths.lab);
  if (record === undefined) throw noSuchLab(labs, name);
  const holder = readRecord<LabInstance>(paths.instance)?.holder;
  // Its lock would say so too, and cost a process each time.
  const init = holder !== undefined && isAlive(holder) ? firstChildOf(holder.pid) : undefined;
  if (init === undefined)
    throw new LabError(`lab ${name} does not run; start it with: podway lab up${nameFlag(name)}`);
  const target = parseExecTarget(where.target, record.options.nodes, where);
  const inside = await insideCommand(paths.control, target).catch((error: unknown) => {
    if (!(error instanceof LabError) || where.namespace !== undefined) throw error;
    throw new LabError(`${error.message}; places are ${placeNames(record.options.nodes).join(', ')}`);
  });
  const words = where.terminal ? inTerminal(command) : command;
  return [...enterLab(init.pid, process.getuid?.() === 0), ...inside, ...words];
}

/**
 * A shell controls jobs only on a terminal of its own session, and sessions do not reach into PID namespaces: script(1)
 * makes a terminal in there and relays. It takes the command as a line for a shell.
 */
function inTerminal(command: readonly string[]): readonly string[] {
  const line = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return ['env', 'SHELL=/bin/sh', 'script', '--quiet', '--return', '--command', line, '/dev/null'];
}

function enterLab(pid: number, root: boolean): readonly string[] {
  // An ordinary user is root of the lab's user namespace already.
  const user = root ? [] : ['--user', '--preserve-credentials'];
  return ['nsenter', '--target', String(pid), ...user, '--mount', '--uts', '--ipc', '--net', '--pid', '--'];
}

async function insideCommand(control: string, target: ExecTarget): Promise<readonly string[]> {
  switch (target.kind) {
    case 'netns':
      return target.name === ROUTER ? [] : ['nsenter', `--net=${netnsPath(target.name)}`, '--'];
    case 'pod': {
      const { pid, environment } = await askControl<PodProcess>(control, target);
      const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid'];
      return [
        ...['nsenter', '--target', String(pid), ...namespaces, '--'],
        ...['env', '--ignore-environment', `TERM=${process.env['TERM'] ?? 'dumb'}`, ...environment],
      ];
    }
  }
}
