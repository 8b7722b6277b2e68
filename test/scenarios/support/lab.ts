import { randomUUID } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { createKubeClient, type KubeClient, loadKubeconfig } from '#kube-client';
import { execCommand, labsDirectory } from '#lab';
import { type Account, createAccount } from './account.ts';
import { PROXY } from './proxy.ts';
import { type Outcome, output, type RunOptions, run } from './run.ts';

/** The launcher of this checkout. */
export const PODWAY = resolve(import.meta.dirname, '../../../podway');

/**
 * What the launcher runs in the end, once it has looked for newer sources: that takes a second a time inside the virtual machine, and
 * whoever boots it has had it built.
 */
const PROGRAM =
  process.env['PODWAY_TEST_VM'] === undefined
    ? [PODWAY]
    : [process.execPath, join(dirname(PODWAY), 'dist/podway.js')];

/** What `podway lab up -o json` prints. */
export interface UpReport {
  readonly name: string;
  readonly nodes: readonly { readonly name: string; readonly ip: string; readonly podCIDR: string }[];
  readonly kubeconfig: string;
  readonly bootMilliseconds: number;
  readonly dnsMilliseconds: number | null;
}

export interface TestLabOptions {
  readonly nodes?: number;
  /** Further flags of `lab up`. */
  readonly flags?: readonly string[];
  /** root unless told, or whoever runs the test. */
  readonly account?: Account['kind'];
}

/** A lab of a test's own. Disposing it takes it down, whatever the test did to it. */
export interface TestLab extends AsyncDisposable {
  readonly name: string;
  readonly up: UpReport;
  readonly account: Account;
  readonly client: KubeClient;
  /** `podway lab SUBCOMMAND --name NAME ARGS…`: its standard output. */
  lab(subcommand: string, ...args: readonly string[]): Promise<string>;
  /** Standard output of kubectl on this lab; throws what it said when it fails. */
  kubectl(...args: readonly string[]): Promise<string>;
  /** The same, however it ends, with input if given. */
  runKubectl(args: readonly string[], options?: Pick<RunOptions, 'input' | 'timeoutMs'>): Promise<Outcome>;
  /** Standard output of a command in a node's network, `router`, or `outside`. */
  exec(place: string, ...command: readonly string[]): Promise<string>;
  /** The same inside a Pod; `pod` is NAME, or NAMESPACE/NAME. */
  execInPod(pod: string, ...command: readonly string[]): Promise<string>;
  /** A command there, however it ends; without the program in between, which takes longer to start than most commands to run. */
  runIn(
    place: string,
    command: readonly string[],
    options?: Pick<RunOptions, 'input' | 'timeoutMs'>,
  ): Promise<Outcome>;
  /** The same inside a Pod, NAME or NAMESPACE/NAME. */
  runInPod(
    pod: string,
    command: readonly string[],
    options?: Pick<RunOptions, 'timeoutMs'>,
  ): Promise<Outcome>;
}

/** Starts a lab and resolves when it is ready. */
export async function startLab(options: TestLabOptions = {}): Promise<TestLab> {
  const account = createAccount(options.account ?? (process.getuid?.() === 0 ? 'root' : 'ordinary'));
  const name = `test-${randomUUID().slice(0, 8)}`;
  const podway = (subcommand: string, ...args: readonly string[]) =>
    account.command([...PROGRAM, 'lab', subcommand, '--name', name, ...args]);
  const runOptions = { env: account.env };
  const execThere = ({ target, namespace }: Place, command: readonly string[]) =>
    podway('exec', ...(namespace === undefined ? [] : ['-n', namespace]), target, '--', ...command);
  const runThere = async (
    place: Place,
    command: readonly string[],
    more: Pick<RunOptions, 'input' | 'timeoutMs'> = {},
  ): Promise<Outcome> => {
    const where = { ...place, container: undefined, terminal: false };
    const line =
      account.uid === process.getuid?.()
        ? await execCommand(labsDirectory(account.env), name, where, command)
        : execThere(place, command);
    return await run(line, { ...runOptions, ...more });
  };
  const down = async () => {
    await run(podway('down'), runOptions);
    account[Symbol.dispose]();
  };
  try {
    const flags = [
      ...(options.flags?.includes('--proxy') ? [] : ['--proxy', PROXY]),
      ...(options.nodes === undefined ? [] : ['--nodes', String(options.nodes)]),
      ...(options.flags ?? []),
    ];
    const up = JSON.parse(await output(podway('up', '-o', 'json', ...flags), runOptions)) as UpReport;
    const client = createKubeClient(await loadKubeconfig({ paths: [up.kubeconfig] }));
    const kubectlOptions = { env: { ...account.env, KUBECONFIG: up.kubeconfig } };
    return {
      name,
      up,
      account,
      client,
      lab: (subcommand, ...args) => output(podway(subcommand, ...args), runOptions),
      kubectl: (...args) => output(account.command(['kubectl', ...args]), kubectlOptions),
      runKubectl: (args, more) => run(account.command(['kubectl', ...args]), { ...kubectlOptions, ...more }),
      exec: (target, ...command) => output(execThere(node(target), command), runOptions),
      execInPod: (pod, ...command) => output(execThere(podPlace(pod), command), runOptions),
      runIn: (target, command, more) => runThere(node(target), command, more),
      runInPod: (pod, command, more) => runThere(podPlace(pod), command, more),
      [Symbol.asyncDispose]: async () => {
        client[Symbol.dispose]();
        await down();
      },
    };
  } catch (error) {
    await down();
    throw error;
  }
}

interface Place {
  /** A node, `outside`, `router`, or a Pod. */
  readonly target: string;
  /** A Pod's. */
  readonly namespace: string | undefined;
}

const node = (target: string): Place => ({ target, namespace: undefined });

function podPlace(pod: string): Place {
  const [first = '', second] = pod.split('/');
  return second === undefined
    ? { target: first, namespace: 'default' }
    : { target: second, namespace: first };
}

/** A file of `examples/`. */
export function examplePath(file: string): string {
  return join(resolve(import.meta.dirname, '../../../examples'), file);
}
