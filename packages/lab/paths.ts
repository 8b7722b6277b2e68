import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** The directory that holds every lab of this user: `${XDG_STATE_HOME:-~/.local/state}/podway/labs`. */
export function labsDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  const configured = environment['XDG_STATE_HOME'];
  // The XDG base directory specification has relative paths ignored.
  const state =
    configured !== undefined && isAbsolute(configured)
      ? configured
      : join(environment['HOME'] || homedir(), '.local', 'state');
  return join(state, 'podway', 'labs');
}

/** What is where in a lab's own directory. */
export interface LabPaths {
  readonly directory: string;
  /** Held with flock(2) by `up` and then by the lab's processes: free means that no process of the lab is left. */
  readonly lock: string;
  readonly lab: string;
  readonly instance: string;
  readonly boot: string;
  /** Where its control groups are. */
  readonly cgroups: string;
  readonly control: string;
  readonly kubeconfig: string;
  readonly pki: string;
  /** The API server's stored objects. */
  readonly data: string;
  readonly logs: string;
}

export function labPaths(labs: string, name: string): LabPaths {
  const directory = join(labs, name);
  return {
    directory,
    lock: join(directory, 'lock'),
    lab: join(directory, 'lab.json'),
    instance: join(directory, 'instance.json'),
    boot: join(directory, 'boot.json'),
    cgroups: join(directory, 'cgroups.json'),
    control: join(directory, 'control.sock'),
    kubeconfig: join(directory, 'kubeconfig'),
    pki: join(directory, 'pki'),
    data: join(directory, 'data'),
    logs: join(directory, 'logs'),
  };
}

export function logPath(paths: Pick<LabPaths, 'logs'>, process: string): string {
  return join(paths.logs, `${process}.log`);
}

/** Paths inside the lab, where /run is its own. */
export function netnsPath(name: string): string {
  return `/run/netns/${name}`;
}

export function nodeDirectory(node: string): string {
  return `/run/podway/nodes/${node}`;
}

/** The kubelet API that the API server relays logs, exec and port-forward to. */
export const KUBELET_SOCKET = '/run/podway/kubelet.sock';
