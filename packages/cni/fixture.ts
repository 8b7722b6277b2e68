import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parsePrefix } from '#ip';
import { linuxKernel } from '#kernel';
import { silentLogger, systemClock } from '#runtime';
import { addressRange } from './address-range.ts';
import { AttachmentStore } from './attachment-store.ts';
import { DataPath } from './data-path.ts';
import { installExecutable, PLUGIN_TYPE } from './executable.ts';
import { HostPorts } from './host-ports.ts';
import { NodeAttachments } from './node-attachments.ts';
import { CniPlugin } from './plugin.ts';
import { CniServer } from './socket-server.ts';

export interface CniNodeOptions {
  readonly podCidrs: readonly string[];
  /** The compiled client; the script when absent. */
  readonly client?: string | undefined;
  /** Where the state is, and stays; a directory of its own otherwise. */
  readonly dir?: string;
}

/** Tests only: a node whose Pods are wired by the real executable, in the test's own namespaces. */
export async function startCniNode(options: CniNodeOptions) {
  await using starting = new AsyncDisposableStack();
  const kernel = linuxKernel();
  const dir = options.dir ?? mkdtempSync('/tmp/cni-test-');
  if (options.dir === undefined) starting.defer(() => rmSync(dir, { recursive: true }));
  const node = starting.use(kernel.currentNetns());
  const store = starting.use(new AttachmentStore(join(dir, 'attachments.sqlite')));
  const dataPath = new DataPath(kernel, node);
  if (options.dir === undefined) starting.defer(() => dataPath.remove());
  const common = { clock: systemClock, logger: silentLogger };
  const hostPorts = new HostPorts(node, [parsePrefix('10.96.0.0/16')]);
  const attachments = new NodeAttachments({ store, dataPath, hostPorts, ...common });
  const plugin = new CniPlugin({ attachments, ...common });
  const ranges = options.podCidrs.map((cidr) => [addressRange(parsePrefix(cidr))]);
  attachments.setNode({ ranges, mtu: 1400 });
  await attachments.repair();
  const socketPath = join(dir, 'agent.sock');
  const deps = { execute: plugin.execute.bind(plugin), ...common };
  const server = starting.use(await CniServer.listen(deps, socketPath));
  installExecutable({
    binDir: dir,
    socketPath,
    compiledClient: options.client,
    searchPath: process.env['PATH'] ?? '',
  });
  const running = starting.move();
  const executable = join(dir, PLUGIN_TYPE);
  return {
    kernel,
    node,
    store,
    attachments,
    server,
    dir,
    executable,
    /** Runs the executable as a container runtime does. */
    run: (environment: Readonly<Record<string, string>>, config: unknown) =>
      execute(executable, environment, config),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

export interface Execution {
  readonly exitStatus: number | null;
  readonly output: string;
}

/** @param config text as it is, or an object for its JSON */
export function execute(
  executable: string,
  environment: Readonly<Record<string, string>>,
  config: unknown,
): Promise<Execution> {
  return new Promise((resolve, reject) => {
    const child = spawn(executable, [], {
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    // The executable may end without having read its input.
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', (exitStatus) => resolve({ exitStatus, output: Buffer.concat(chunks).toString() }));
    child.stdin.end(typeof config === 'string' ? config : JSON.stringify(config));
  });
}
