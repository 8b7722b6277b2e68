import { CNI_CODES, CniError } from './errors.ts';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';
export const CNI_COMMANDS: readonly CniCommand[] = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'];

/** One execution of the plugin: the checked environment, and standard input as it came. */
export interface CniRequest {
  readonly command: CniCommand;
  /** '' where the command needs none. */
  readonly containerId: string;
  /** A path to the Pod's network namespace; '' where the command needs none, or DEL comes after its end. */
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS, `K=V;…`. */
  readonly args: ReadonlyMap<string, string>;
  readonly config: string;
}

const NEEDS: Readonly<Record<CniCommand, readonly ('CNI_CONTAINERID' | 'CNI_NETNS' | 'CNI_IFNAME')[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  GC: [],
  STATUS: [],
  VERSION: [],
};

/** Checks the parameters of CNI specification 1.1.0 section 2. @throws CniError 4 that names the variable */
export function readRequest(environment: ReadonlyMap<string, string>, config: string): CniRequest {
  const text = environment.get('CNI_COMMAND') ?? '';
  const command = CNI_COMMANDS.find((known) => known === text);
  if (command === undefined) throw bad('CNI_COMMAND', text, `is none of ${CNI_COMMANDS.join(', ')}`);
  for (const name of NEEDS[command])
    if ((environment.get(name) ?? '') === '') throw bad(name, '', `is required for ${command}`);
  return {
    command,
    containerId: readContainerId('CNI_CONTAINERID', environment.get('CNI_CONTAINERID') ?? ''),
    netns: readNetns(environment.get('CNI_NETNS') ?? ''),
    ifName: readIfName('CNI_IFNAME', environment.get('CNI_IFNAME') ?? ''),
    args: readArgs(environment.get('CNI_ARGS') ?? ''),
    config,
  };
}

/** `namespace/name` of the Pod that the arguments of a Kubernetes runtime name; undefined when they name none. */
export function podOf({ args }: Pick<CniRequest, 'args'>): string | undefined {
  const namespace = args.get('K8S_POD_NAMESPACE');
  const name = args.get('K8S_POD_NAME');
  if (namespace === undefined || name === undefined) return undefined;
  const text = `${namespace}/${name}`;
  // It becomes a link's alias: the kernel takes 255 bytes. A Pod's name is a DNS name.
  return /^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/.test(text) && text.length <= 220 ? text : undefined;
}

/** The specification's form for container ids: no path, nothing a shell or nft could trip over. */
export function readContainerId(field: string, text: string): string {
  if (text !== '' && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/.test(text))
    throw bad(field, text, 'must be 1 to 253 letters, digits, _ . - and begin with a letter or digit');
  return text;
}

/** A name the kernel takes for a link (net/core/dev.c dev_valid_name). */
export function readIfName(field: string, text: string): string {
  if (
    text !== '' &&
    (!/^[\x21-\x7e]{1,15}$/.test(text) || /[/:%"'\\;]/.test(text) || text === '.' || text === '..')
  )
    throw bad(field, text, 'must be 1 to 15 printable characters without / : % quotes and white space');
  return text;
}

function readNetns(text: string): string {
  if (text !== '' && (!/^\/[\x21-\x7e]{1,4000}$/.test(text) || text.split('/').includes('..')))
    throw bad('CNI_NETNS', text, 'must be an absolute path without ..');
  return text;
}

function readArgs(text: string): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const pair of text.split(';')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals <= 0) throw bad('CNI_ARGS', text, `has ${JSON.stringify(pair)} where NAME=VALUE is expected`);
    args.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return args;
}

function bad(name: string, value: string, reason: string): CniError {
  const shown =
    value === '' ? '' : ` ${JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)}`;
  return new CniError(CNI_CODES.invalidEnvironment, `${name}${shown} ${reason}`);
}
