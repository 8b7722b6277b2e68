import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';
import { createKubeClient, type KubeClient, loadKubeconfig } from '#kube-client';
import { execCommand, labsDirectory } from '#lab';
import { type Account, createAccount } from './account.ts';
import { Background } from './background.ts';
import { PROGRAM } from './program.ts';
import { PROXY } from './proxy.ts';
import { type Outcome, output, type RunOptions, run } from './run.ts';

/** What `podway lab up -o json` prints. */
export interface UpReport {
  readonly name: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly ip: string;
    readonly ips: readonly string[];
    readonly podCIDR: string;
  }[];
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

/** Labs that are up, or being made: an interrupted test ends them, as they would outlive it. */
const open = new Set<TestLab>();
const INTERRUPTED = 130;
const endAll = () =>
  void Promise.allSettled([...open].map((lab) => lab[Symbol.asyncDispose]())).then(() =>
    process.exit(INTERRUPTED),
  );
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, endAll);

/** A lab of a test's own. Disposing it takes it down, whatever the test did to it. */
export class TestLab implements AsyncDisposable {
  readonly name = `test-${randomUUID().slice(0, 8)}`;
  readonly account: Account;
  readonly #options: TestLabOptions;
  #running: { readonly up: UpReport; readonly client: KubeClient & Disposable } | undefined;

  /** One that the tests of a suite share: up before the first of them, taken down after the last. */
  static ofSuite(options: TestLabOptions = {}): TestLab {
    const lab = new TestLab(options);
    before(() => lab.start());
    after(() => lab[Symbol.asyncDispose]());
    return lab;
  }

  /** It is not up yet. */
  constructor(options: TestLabOptions = {}) {
    this.#options = options;
    this.account = createAccount(options.account ?? (process.getuid?.() === 0 ? 'root' : 'ordinary'));
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    open.add(this);
    const { flags = [], nodes } = this.#options;
    const up = await this.lab(
      'up',
      ...['-o', 'json'],
      ...(flags.includes('--proxy') ? [] : ['--proxy', PROXY]),
      ...(nodes === undefined ? [] : ['--nodes', String(nodes)]),
      ...flags,
    );
    const report = JSON.parse(up) as UpReport;
    const client = createKubeClient(await loadKubeconfig({ paths: [report.kubeconfig] }));
    this.#running = { up: report, client };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running?.client[Symbol.dispose]();
    await run(this.#podway('down'), this.#runOptions);
    open.delete(this);
    this.account[Symbol.dispose]();
  }

  get up(): UpReport {
    return this.#whileUp().up;
  }

  get client(): KubeClient {
    return this.#whileUp().client;
  }

  /** `podway lab SUBCOMMAND --name NAME ARGS…`: its standard output. */
  lab(subcommand: string, ...args: readonly string[]): Promise<string> {
    return output(this.#podway(subcommand, ...args), this.#runOptions);
  }

  /** Standard output of kubectl on this lab; throws what it said when it fails. */
  kubectl(...args: readonly string[]): Promise<string> {
    return output(this.account.command(['kubectl', ...args]), this.#kubectlOptions);
  }

  /** The same, however it ends, with input if given. */
  runKubectl(args: readonly string[], options?: Pick<RunOptions, 'input' | 'timeoutMs'>): Promise<Outcome> {
    return run(this.account.command(['kubectl', ...args]), { ...this.#kubectlOptions, ...options });
  }

  /** kubectl on this lab, until it is ended. */
  startKubectl(...args: readonly string[]): Background {
    return new Background(this.account.command(['kubectl', ...args]), this.#kubectlOptions);
  }

  /** Standard output of a command in a node's network, `router`, or `outside`. */
  async exec(place: string, ...command: readonly string[]): Promise<string> {
    return output(await this.commandIn(place, command), this.#runOptions);
  }

  /** The same inside a Pod; `pod` is NAME, or NAMESPACE/NAME. */
  async execInPod(pod: string, ...command: readonly string[]): Promise<string> {
    return output(await this.commandInPod(pod, command), this.#runOptions);
  }

  /** A command there, however it ends. */
  async runIn(
    place: string,
    command: readonly string[],
    options?: Pick<RunOptions, 'input' | 'timeoutMs'>,
  ): Promise<Outcome> {
    return run(await this.commandIn(place, command), { ...this.#runOptions, ...options });
  }

  /** The same inside a Pod, NAME or NAMESPACE/NAME. */
  async runInPod(
    pod: string,
    command: readonly string[],
    options?: Pick<RunOptions, 'timeoutMs'>,
  ): Promise<Outcome> {
    return run(await this.commandInPod(pod, command), { ...this.#runOptions, ...options });
  }

  /** What runs the command there. */
  commandIn(place: string, command: readonly string[]): Promise<readonly string[]> {
    return this.#commandThere({ target: place, namespace: undefined }, command);
  }

  /** The same inside a Pod, NAME or NAMESPACE/NAME. */
  commandInPod(pod: string, command: readonly string[]): Promise<readonly string[]> {
    const [first = '', second] = pod.split('/');
    const place =
      second === undefined ? { target: first, namespace: 'default' } : { target: second, namespace: first };
    return this.#commandThere(place, command);
  }

  /** Where this process may, without the program in between, which takes longer to start than most commands to run. */
  async #commandThere({ target, namespace }: Place, command: readonly string[]): Promise<readonly string[]> {
    if (this.account.uid === process.getuid?.()) {
      const where = { target, namespace, container: undefined, terminal: false };
      return await execCommand(labsDirectory(this.account.env), this.name, where, command);
    }
    const ofNamespace = namespace === undefined ? [] : ['-n', namespace];
    return this.#podway('exec', ...ofNamespace, target, '--', ...command);
  }

  #whileUp() {
    if (this.#running === undefined) throw new TypeError(`lab ${this.name} is not up`);
    return this.#running;
  }

  get #runOptions() {
    return { env: this.account.env };
  }

  get #kubectlOptions() {
    return { env: { ...this.account.env, KUBECONFIG: this.up.kubeconfig } };
  }

  #podway(subcommand: string, ...args: readonly string[]): readonly string[] {
    return this.account.command([...PROGRAM, 'lab', subcommand, '--name', this.name, ...args]);
  }
}

/** Starts a lab and resolves when it is ready. */
export async function startLab(options: TestLabOptions = {}): Promise<TestLab> {
  const lab = new TestLab(options);
  try {
    await lab.start();
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

interface Place {
  /** A node, `outside`, `router`, or a Pod. */
  readonly target: string;
  /** A Pod's. */
  readonly namespace: string | undefined;
}

/** A file of `examples/`. */
export function examplePath(file: string): string {
  return join(resolve(import.meta.dirname, '../../../examples'), file);
}
