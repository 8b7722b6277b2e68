import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroup } from '#cgroup';
import type { Kernel } from '#kernel';
import { type Container, formatTime, PODS, type Pod, type PodStatus, type Service } from '#kube-api';
import { isNotFound, type KubeClient } from '#kube-client';
import { errorMessage, type Logger, Reconciler } from '#runtime';
import type { CniInvoker } from '../cni/invoker.ts';
import { PodConfigError } from '../plan/errors.ts';
import type { DownwardContext } from '../plan/fields.ts';
import { podLimits } from '../plan/limits.ts';
import type { ContainerDeps, ContainerStartContext } from './container-context.ts';
import { GracePeriod } from './grace-period.ts';
import { ManagedContainer } from './managed-container.ts';
import { podReference } from './pod-reference.ts';
import { PodVolumes } from './pod-volumes.ts';
import { createSandbox, type Sandbox } from './sandbox.ts';
import { startContext } from './start-context.ts';
import { type PodView, podStatus } from './status.ts';

export interface PodWorkerDeps extends ContainerDeps {
  readonly client: KubeClient;
  readonly kernel: Kernel;
  readonly cni: CniInvoker;
  readonly services: () => readonly Service[];
  readonly nodeName: string;
  readonly nodeAddresses: readonly string[];
  readonly nodeNetnsPath: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly allocatable: { readonly cpu: number; readonly memory: number };
  readonly podPidsLimit: number | undefined;
  /** `RUN_DIR/pods` */
  readonly podsDir: string;
  readonly logDir: string;
  readonly visible: readonly string[];
}

const SANDBOX_RETRY_MS = { first: 250, max: 30_000 };
const MOUNT_RETRY_MS = { first: 500, max: 30_000 };

/** The life of one Pod on this node, from the first sight of it to its deletion from the API. */
export class PodWorker implements Disposable {
  readonly #manage: (container: Container, kind: ManagedContainer['kind']) => ManagedContainer;
  #containers: readonly ManagedContainer[];
  readonly #deps: PodWorkerDeps;
  readonly #logger: Logger;
  readonly #sync: Reconciler;
  readonly #report: Reconciler;
  readonly #dir: string;
  readonly #startTime: string;
  readonly #onDone: () => void;
  readonly #grace: GracePeriod;
  readonly #volumes: PodVolumes;
  #pod: Pod;
  #sandbox: Sandbox | undefined;
  #cgroup: Cgroup | undefined;
  #volumePaths: ReadonlyMap<string, string> | undefined;
  #refresh: Disposable | undefined;
  #deadline: Disposable | undefined;
  #failure: PodView['failure'];
  #sandboxFailures = 0;
  #mountFailures = 0;
  #retry: Disposable | undefined;
  #retryAt = 0;
  #terminating = false;
  #gone = false;
  #reported = '';

  /** @param onDone called when nothing of the Pod is left here */
  constructor(pod: Pod, deps: PodWorkerDeps, onDone: () => void) {
    const { namespace = 'default', name = '', uid = '' } = pod.metadata ?? {};
    this.#pod = pod;
    this.#deps = deps;
    this.#onDone = onDone;
    this.#grace = new GracePeriod(deps.clock);
    this.#logger = deps.logger.with({ pod: `${namespace}/${name}` });
    this.#dir = join(deps.podsDir, uid);
    const { client, clock } = deps;
    this.#volumes = new PodVolumes({ dir: join(this.#dir, 'volumes'), client, clock });
    this.#startTime = pod.status?.startTime ?? formatTime(deps.clock.now());
    const logDir = join(deps.logDir, `${namespace}_${name}_${uid}`);
    this.#manage = (container, kind) =>
      new ManagedContainer({
        container,
        kind,
        pod: () => this.#pod,
        dir: join(this.#dir, 'containers', container.name),
        logDir: join(logDir, container.name),
        deps: { ...deps, logger: this.#logger.with({ container: container.name }) },
        onChange: () => this.#changed(),
      });
    this.#containers = [
      ...(pod.spec?.initContainers ?? []).map((container) =>
        this.#manage(container, container.restartPolicy === 'Always' ? 'sidecar' : 'init'),
      ),
      ...(pod.spec?.containers ?? []).map((container) => this.#manage(container, 'app')),
    ];
    this.#addEphemeral();
    const options = { logger: this.#logger, clock: deps.clock };
    this.#sync = new Reconciler({ ...options, name: 'pod' }, () => this.#reconcile());
    this.#report = new Reconciler({ ...options, name: 'pod status' }, () => this.#reportStatus());
    this.#sync.trigger();
    this.#report.trigger();
  }

  get containers(): readonly ManagedContainer[] {
    return this.#containers;
  }

  get pod(): Pod {
    return this.#pod;
  }

  get sandbox(): Sandbox | undefined {
    return this.#sandbox;
  }

  /** A newer version of the object. */
  update(pod: Pod): void {
    const labels = (object: Pod) => JSON.stringify([object.metadata?.labels, object.metadata?.annotations]);
    const relabelled = labels(pod) !== labels(this.#pod);
    this.#pod = pod;
    this.#addEphemeral();
    if (relabelled && this.#sandbox !== undefined && this.#volumePaths !== undefined)
      void this.#updateVolumes(this.#sandbox);
    const grace = pod.metadata?.deletionGracePeriodSeconds;
    if (this.#terminating && grace !== undefined)
      this.#grace.begin(grace * 1000, pod.metadata?.deletionTimestamp);
    this.#changed();
  }

  /** The object is gone from the API: everything ends at once. */
  vanished(): void {
    this.#gone = true;
    this.#grace.cutOff();
    this.#changed();
  }

  /** Stops looking after the Pod, without ending it: its processes end with the supervisor. */
  [Symbol.dispose](): void {
    this.#retry?.[Symbol.dispose]();
    this.#refresh?.[Symbol.dispose]();
    this.#deadline?.[Symbol.dispose]();
    this.#grace[Symbol.dispose]();
    // What is under way may wait for others that have ended already, an agent for example; nobody waits for that.
    void this.#sync[Symbol.asyncDispose]();
    void this.#report[Symbol.asyncDispose]();
  }

  /** Debugging containers (`kubectl debug`) come while the Pod runs; none of them goes. */
  #addEphemeral(): void {
    const known = new Set(this.#containers.map(({ name }) => name));
    const added = (this.#pod.spec?.ephemeralContainers ?? []).filter(({ name }) => !known.has(name));
    this.#containers = [
      ...this.#containers,
      ...added.map((container) => this.#manage(container, 'ephemeral')),
    ];
  }

  #changed(): void {
    this.#sync.trigger();
    this.#report.trigger();
  }

  async #reconcile(): Promise<void> {
    if (this.#gone || this.#pod.metadata?.deletionTimestamp !== undefined) return await this.#terminate();
    this.#checkDeadline();
    const { phase } = podStatus(this.#view());
    if (phase === 'Succeeded' || phase === 'Failed') return await this.#finish();
    if (this.#sandbox === undefined && !(await this.#ensureSandbox())) return;
    if (this.#sandbox === undefined || !(await this.#ensureVolumes(this.#sandbox))) return;
    await this.#startAll('ephemeral');
    for (const container of this.containers.filter(({ kind }) => kind === 'init' || kind === 'sidecar')) {
      if (container.kind === 'init' && container.succeeded) continue;
      await this.#ensureStarted(container);
      if (container.kind === 'init' ? !container.succeeded : !container.started) return;
    }
    await this.#startAll('app');
  }

  async #startAll(wanted: ManagedContainer['kind']): Promise<void> {
    await Promise.all(
      this.containers
        .filter(({ kind }) => kind === wanted)
        .map((container) => this.#ensureStarted(container)),
    );
  }

  async #ensureStarted(container: ManagedContainer): Promise<void> {
    const again = await container.ensureStarted(() => this.#startContext());
    if (again !== undefined) this.#after(again);
  }

  /** Looks again after `ms`, or earlier when an earlier look is already due. */
  #after(ms: number): void {
    const at = this.#deps.clock.monotonic() + ms;
    if (this.#retry !== undefined && this.#retryAt <= at) return;
    this.#retry?.[Symbol.dispose]();
    this.#retryAt = at;
    this.#retry = this.#deps.clock.setTimer(ms, () => {
      this.#retry = undefined;
      this.#sync.trigger();
    });
  }

  /** False when it could not be made; then a retry is under way. */
  async #ensureSandbox(): Promise<boolean> {
    if (this.#retry !== undefined && this.#sandboxFailures > 0) return false;
    try {
      this.#sandbox = await createSandbox(this.#pod, { ...this.#deps, logger: this.#logger });
      this.#cgroup = this.#makeCgroup();
      this.#sandboxFailures = 0;
      this.#report.trigger();
      return true;
    } catch (error) {
      const message = `Failed to create pod sandbox: ${errorMessage(error)}`;
      this.#warn('FailedCreatePodSandBox', message);
      this.#logger.warn('cannot create the sandbox, will try again', { error: errorMessage(error) });
      this.#after(Math.min(SANDBOX_RETRY_MS.max, SANDBOX_RETRY_MS.first * 2 ** this.#sandboxFailures++));
      return false;
    }
  }

  /** The group that the containers' own are in. */
  #makeCgroup(): Cgroup | undefined {
    const { cgroups, podPidsLimit } = this.#deps;
    if (cgroups.enforced.size === 0) return undefined;
    return cgroups.create([this.#pod.metadata?.uid ?? ''], podLimits(this.#pod, podPidsLimit));
  }

  /** False when something that a volume shows is missing; then a retry is under way. */
  async #ensureVolumes(sandbox: Sandbox): Promise<boolean> {
    if (this.#volumePaths !== undefined) return true;
    if (this.#retry !== undefined && this.#mountFailures > 0) return false;
    try {
      this.#volumePaths = await this.#volumes.update(this.#pod, this.#downward(sandbox));
      this.#mountFailures = 0;
      this.#updateVolumesLater(sandbox);
      return true;
    } catch (error) {
      this.#warn('FailedMount', `MountVolume.SetUp failed: ${errorMessage(error)}`);
      this.#after(Math.min(MOUNT_RETRY_MS.max, MOUNT_RETRY_MS.first * 2 ** this.#mountFailures++));
      return false;
    }
  }

  /** Keeps volumes as the API has what they show. */
  #updateVolumesLater(sandbox: Sandbox): void {
    this.#refresh?.[Symbol.dispose]();
    const ms = this.#volumes.updateInMs(this.#pod);
    if (ms === undefined || this.#terminating) return;
    this.#refresh = this.#deps.clock.setTimer(ms, () => void this.#updateVolumes(sandbox), { unref: true });
  }

  async #updateVolumes(sandbox: Sandbox): Promise<void> {
    try {
      if (this.#sandbox === sandbox) await this.#volumes.update(this.#pod, this.#downward(sandbox));
    } catch (error) {
      // What was there stays, as long as the Pod runs.
      this.#logger.debug('volumes not brought up to date', { error: errorMessage(error) });
    }
    if (this.#sandbox === sandbox) this.#updateVolumesLater(sandbox);
  }

  #downward(sandbox: Sandbox): DownwardContext {
    const { nodeName, nodeAddresses, allocatable } = this.#deps;
    return { podIps: sandbox.podIps, hostIps: nodeAddresses, nodeName, allocatable };
  }

  async #startContext(): Promise<ContainerStartContext> {
    const sandbox = this.#sandbox;
    if (sandbox === undefined) throw new PodConfigError('the Pod has no sandbox');
    return await startContext(this.#pod, sandbox, this.#volumePaths ?? new Map(), this.#downward(sandbox), {
      ...this.#deps,
      onWarning: (reason, message) => this.#warn(reason, message),
    });
  }

  #warn(reason: string, message: string): void {
    this.#deps.recorder.record(podReference(this.#pod), 'Warning', reason, message);
  }

  /** All containers that matter have ended: what still runs (sidecars) ends too. */
  async #finish(): Promise<void> {
    const graceMs = (this.#pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000;
    const deadline = new AbortController();
    using _timer = this.#deps.clock.setTimer(graceMs, () => deadline.abort());
    await this.#stopContainers(graceMs, deadline.signal);
    await this.#removeSandbox();
  }

  /** `activeDeadlineSeconds`: how long the Pod may be here, whatever it does. */
  #checkDeadline(): void {
    const seconds = this.#pod.spec?.activeDeadlineSeconds;
    if (seconds === undefined || this.#failure !== undefined) return;
    const remaining = Date.parse(this.#startTime) + seconds * 1000 - this.#deps.clock.now();
    this.#deadline?.[Symbol.dispose]();
    if (remaining > 0) {
      this.#deadline = this.#deps.clock.setTimer(remaining, () => this.#changed());
      return;
    }
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#failure = { reason: 'DeadlineExceeded', message };
    this.#deps.recorder.record(podReference(this.#pod), 'Normal', 'DeadlineExceeded', message);
    this.#report.trigger();
  }

  async #terminate(): Promise<void> {
    if (!this.#terminating) {
      this.#terminating = true;
      this.#retry?.[Symbol.dispose]();
      const seconds =
        this.#pod.metadata?.deletionGracePeriodSeconds ?? this.#pod.spec?.terminationGracePeriodSeconds ?? 30;
      this.#grace.begin(seconds * 1000, this.#pod.metadata?.deletionTimestamp);
    }
    await this.#stopContainers(this.#graceMs(), this.#grace.over);
    if (!this.#gone) await this.#reportStatus();
    await this.#removeSandbox();
    this.#grace[Symbol.dispose]();
    await this.#deleteObject();
    for (const container of this.containers) container.removeLogs();
    this.#volumes[Symbol.dispose]();
    rmSync(this.#dir, { recursive: true, force: true });
    this.#onDone();
  }

  #graceMs(): number {
    return this.#grace.over.aborted ? 0 : (this.#pod.metadata?.deletionGracePeriodSeconds ?? 30) * 1000;
  }

  /** The Pod's containers side by side, then the sidecars in reverse. */
  async #stopContainers(graceMs: number, deadline: AbortSignal): Promise<void> {
    const stop = (container: ManagedContainer) =>
      container.stop(`Stopping container ${container.name}`, graceMs, deadline);
    await Promise.all(this.containers.filter(({ kind }) => kind !== 'sidecar').map(stop));
    for (const sidecar of this.containers.filter(({ kind }) => kind === 'sidecar').toReversed())
      await stop(sidecar);
  }

  async #removeSandbox(): Promise<void> {
    const sandbox = this.#sandbox;
    if (sandbox === undefined) return;
    try {
      await sandbox.remove();
    } catch (error) {
      const message = `error killing pod: failed to destroy network for sandbox: ${errorMessage(error)}`;
      this.#warn('FailedKillPod', message);
      throw error;
    }
    this.#sandbox = undefined;
    await this.#cgroup?.remove();
    this.#cgroup = undefined;
    this.#report.trigger();
  }

  async #deleteObject(): Promise<void> {
    if (this.#gone) return;
    const { namespace = 'default', name = '', uid } = this.#pod.metadata ?? {};
    try {
      await this.#deps.client.delete(
        PODS,
        { namespace, name },
        { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { preconditions: { uid } }) },
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  #view(): PodView {
    return {
      pod: this.#pod,
      containers: this.containers.map((container) => container.view()),
      podIps: this.#sandbox?.podIps ?? this.#pod.status?.podIPs?.map(({ ip }) => ip) ?? [],
      hostIps: this.#deps.nodeAddresses,
      startTime: this.#startTime,
      failure: this.#failure,
      sandboxReady: this.#sandbox !== undefined,
      now: formatTime(this.#deps.clock.now()),
    };
  }

  async #reportStatus(): Promise<void> {
    if (this.#gone) return;
    const status = podStatus(this.#view());
    const text = comparable(status);
    if (text === this.#reported) return;
    const { namespace = 'default', name = '' } = this.#pod.metadata ?? {};
    try {
      await this.#deps.client.patch(PODS, { namespace, name }, 'merge', { status }, 'status');
      this.#reported = text;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

/** Transition times are no reason to write. */
function comparable(status: PodStatus): string {
  const conditions = status.conditions?.map(({ lastTransitionTime: _, ...rest }) => rest);
  return JSON.stringify({ ...status, conditions });
}
