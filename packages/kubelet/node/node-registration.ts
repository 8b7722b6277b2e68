import { mkdirSync, watch } from 'node:fs';
import { formatTime, LEASES, NODES, type NodeCondition } from '#kube-api';
import { type EventRecorder, isAlreadyExists, isNotFound, type KubeClient } from '#kube-client';
import { type Clock, errorMessage, type Logger, Reconciler } from '#runtime';
import type { CniInvoker } from '../cni/invoker.ts';
import { type Machine, type NodeDescription, nodeLabels, nodeObject, nodeStatus } from './node-status.ts';

export interface NodeRegistrationDeps {
  readonly client: KubeClient;
  readonly cni: CniInvoker;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cniConfDir: string;
  readonly machine: Machine;
}

/** A node's lease is renewed at this interval, and held for four times as long (kubelet's defaults). */
const LEASE_RENEW_MS = 10_000;
const LEASE_SECONDS = 40;
const LEASE_NAMESPACE = 'kube-node-lease';
/** The network is asked again so often although nothing changed in the directory of configurations. */
const NETWORK_CHECK_MS = 10_000;
/** While it is not ready, asked this often: a configuration may be there a moment before its plugin can work. */
const NETWORK_RETRY_MS = 200;

/** Keeps the Node object and its lease; the node is Ready while the Pod network is. */
export class NodeRegistration implements AsyncDisposable {
  readonly #description: NodeDescription;
  readonly #deps: NodeRegistrationDeps;
  readonly #reconciler: Reconciler;
  readonly #lease: Reconciler;
  readonly #watcher: Disposable;
  #timer: Disposable | undefined;
  #leaseTimer: Disposable | undefined;
  #registered = false;
  #reported: string | undefined;
  #conditions: readonly NodeCondition[] = [];
  #stopped = false;

  constructor(description: NodeDescription, deps: NodeRegistrationDeps) {
    this.#description = description;
    this.#deps = deps;
    const { logger, clock } = deps;
    this.#reconciler = new Reconciler({ name: 'node', logger, clock }, () => this.#reconcile());
    this.#lease = new Reconciler(
      { name: 'node lease', logger, clock, retryMs: { first: 1000, max: 7000 } },
      () => this.#renew(),
    );
    mkdirSync(deps.cniConfDir, { recursive: true });
    const watcher = watch(deps.cniConfDir, () => this.#reconciler.trigger());
    watcher.on('error', (error) =>
      logger.warn('cannot watch the CNI configuration', { error: errorMessage(error) }),
    );
    this.#watcher = { [Symbol.dispose]: () => watcher.close() };
    this.#reconciler.trigger();
    this.#lease.trigger();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#watcher[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    this.#leaseTimer?.[Symbol.dispose]();
    await this.#reconciler[Symbol.asyncDispose]();
    await this.#lease[Symbol.asyncDispose]();
  }

  async #reconcile(): Promise<void> {
    const { clock, client, cni } = this.#deps;
    const [, notReady] = await Promise.all([
      this.#register(),
      cni.status().then(
        () => undefined,
        (error: unknown) => errorMessage(error),
      ),
    ]);
    const now = formatTime(clock.now());
    const status = nodeStatus(this.#description, this.#deps.machine, notReady, this.#conditions, now);
    const text = String(notReady);
    if (text !== this.#reported) {
      const { nodeName } = this.#description;
      await client.patch(NODES, { name: nodeName }, 'merge', { status }, 'status');
      this.#conditions = status.conditions ?? [];
      if ((this.#reported === 'undefined') !== (notReady === undefined))
        this.#event(notReady === undefined ? 'NodeReady' : 'NodeNotReady');
      this.#reported = text;
    }
    this.#timer?.[Symbol.dispose]();
    if (this.#stopped) return;
    this.#timer = clock.setTimer(notReady === undefined ? NETWORK_CHECK_MS : NETWORK_RETRY_MS, () =>
      this.#reconciler.trigger(),
    );
  }

  async #register(): Promise<void> {
    if (this.#registered) return;
    const { client } = this.#deps;
    const { nodeName, zone } = this.#description;
    try {
      await client.create(NODES, nodeObject(this.#description));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const body = { metadata: { labels: nodeLabels(nodeName, zone) } };
      const node = await client.patch(NODES, { name: nodeName }, 'merge', body);
      this.#conditions = node.status?.conditions ?? [];
    }
    this.#registered = true;
  }

  async #renew(): Promise<void> {
    const { client, clock } = this.#deps;
    const { nodeName } = this.#description;
    const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z');
    const spec = { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime };
    const name = { namespace: LEASE_NAMESPACE, name: nodeName };
    try {
      await client.patch(LEASES, name, 'merge', { spec });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.create(LEASES, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: name,
        spec,
      });
    }
    if (this.#stopped) return;
    this.#leaseTimer = clock.setTimer(LEASE_RENEW_MS, () => this.#lease.trigger(), { unref: true });
  }

  #event(reason: 'NodeReady' | 'NodeNotReady'): void {
    const { nodeName } = this.#description;
    const subject = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName };
    this.#deps.recorder.record(subject, 'Normal', reason, `Node ${nodeName} status is now: ${reason}`);
  }
}
