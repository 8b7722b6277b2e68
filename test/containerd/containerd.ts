import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestLab } from '../scenarios/support/lab.ts';
import { retry } from '../scenarios/support/retry.ts';
import { output } from '../scenarios/support/run.ts';
import { busyboxImage } from './busybox-image.ts';
import { removeControlGroups } from './control-groups.ts';
import { CriClient } from './cri-client.ts';
import { imageArchive } from './image-archive.ts';
import { busyboxPath, REFERENCE_PLUGINS } from './requirements.ts';

/** Of sandboxes and containers alike. */
export const IMAGE = 'podway.test/busybox:1';

const START_MS = 60_000;

/**
 * containerd as a node of a lab runs it, with the CNI configuration and plugin that the node's agent wrote. It lives in
 * the lab's namespaces; its files are in a directory of its own, and its control groups under a name of its own.
 */
export class Containerd implements AsyncDisposable {
  readonly node: string;
  /** Of every sandbox, so that nothing of them can be mixed up with the machine's. */
  readonly cgroupParent = `/podway-containerd-${randomUUID().slice(0, 8)}`;
  readonly #lab: TestLab;
  readonly #directory = mkdtempSync(join(tmpdir(), 'podway-ctr-'));
  #process: ChildProcess | undefined;
  #client: CriClient | undefined;

  constructor(lab: TestLab, node: string) {
    this.#lab = lab;
    this.node = node;
    mkdirSync(this.cniBin, { recursive: true });
    symlinkSync(join(REFERENCE_PLUGINS, 'loopback'), join(this.cniBin, 'loopback'));
    this.usePlugin();
    writeFileSync(this.#path('config.toml'), this.#configuration());
  }

  /** Where CNI plugins are: Podway's, and what containerd itself asks for. */
  get cniBin(): string {
    return this.#path('cni-bin');
  }

  get cniConf(): string {
    return `/run/podway/nodes/${this.node}/cni/net.d`;
  }

  get client(): CriClient {
    if (this.#client === undefined) throw new TypeError('containerd does not run');
    return this.#client;
  }

  /** From here on this executable is the plugin `podway`: the node's own unless told. */
  usePlugin(executable = `/run/podway/nodes/${this.node}/cni/bin/podway`): void {
    rmSync(join(this.cniBin, 'podway'), { force: true });
    symlinkSync(executable, join(this.cniBin, 'podway'));
  }

  /** What it said. */
  get log(): string {
    return readFileSync(this.#path('log'), 'utf8');
  }

  /** Starts it for the first time: with its image. */
  async install(): Promise<void> {
    // libcni keeps results in /var/lib/cni: the lab's own, from here on.
    await this.#lab.exec(this.node, 'mount', '-t', 'tmpfs', 'tmpfs', '/var/lib');
    await this.start();
    const archive = this.#path('image.tar');
    writeFileSync(archive, imageArchive(busyboxImage(IMAGE, busyboxPath())));
    await this.ctr('images', 'import', '--snapshotter', 'native', archive);
    // The CRI side learns of it by an event.
    await retry(async () => {
      if (!(await this.client.hasImage(IMAGE))) throw new Error(`containerd does not know ${IMAGE}`);
    }, START_MS);
  }

  /** Resolves when it answers. Sandboxes of an earlier run are still there. */
  async start(): Promise<void> {
    const log = openSync(this.#path('log'), 'a');
    const script = 'echo $$ >"$1/pid" && exec containerd --config "$1/config.toml"';
    const words = ['sh', '-c', script, 'sh', this.#directory];
    const [program = '', ...args] = await this.#lab.commandIn(this.node, words);
    this.#process = spawn(program, args, { env: this.#lab.account.env, stdio: ['ignore', log, log] });
    closeSync(log);
    this.#client = new CriClient(this.#path('sock'));
    try {
      await this.#client.listens(START_MS);
      // It listens before it is initialized.
      await retry(() => this.client.conditions(), START_MS);
    } catch (error) {
      throw new Error(`containerd does not answer:\n${this.log}`, { cause: error });
    }
  }

  /** Ends containerd itself; sandboxes go on. */
  async stop(signal: 'TERM' | 'KILL' = 'TERM'): Promise<void> {
    this.#client?.[Symbol.dispose]();
    this.#client = undefined;
    if (this.#process === undefined || this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    const pid = readFileSync(this.#path('pid'), 'utf8').trim();
    await this.#lab.exec(this.node, 'kill', `-${signal}`, pid);
    await ended;
    this.#process = undefined;
  }

  /** containerd's own command line, in the namespace of CRI. */
  ctr(...args: readonly string[]): Promise<string> {
    return output(this.ctrCommand(...args));
  }

  ctrCommand(...args: readonly string[]): readonly string[] {
    return ['ctr', '--address', this.#path('sock'), '--namespace', 'k8s.io', ...args];
  }

  /** To be called when the lab has gone: only its end surely ends what containerd started. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.[Symbol.dispose]();
    await retry(() => removeControlGroups(this.cgroupParent));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  /**
   * `native` works on every file system, overlayfs not on itself. Without `restrict_oom_score_adj` root needs
   * CAP_SYS_RESOURCE. The plugin `opt` writes to /opt.
   */
  #configuration(): string {
    return `version = 2
root = "${this.#path('root')}"
state = "${this.#path('state')}"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${this.#path('sock')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${this.cniBin}"
    conf_dir = "${this.cniConf}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
  }
}
