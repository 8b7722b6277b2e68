import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroup } from '#cgroup';
import { podResolvConf } from '#dns';
import type { Kernel } from '#kernel';
import { type Container, PODS, type Pod, type PodStatus, type Service } from '#kube-api';
import { isNotFound, type KubeClient } from '#kube-client';
import { errorMessage, type Logger, Reconciler } from '#runtime';
import type { CniInvoker } from '../cni/invoker.ts';
import { podReference, rfc3339 } from '../events.ts';
import { apiAccessVolume } from '../plan/api-access.ts';
import { PodConfigError } from '../plan/errors.ts';
import { podHostname } from '../plan/hostname.ts';
import { podHosts } from '../plan/hosts.ts';
import { podLimits } from '../plan/limits.ts';
import { serviceEnvironment } from '../plan/service-environment.ts';
import type { ContainerDeps, ContainerStartContext } from './container-context.ts';
import { FORCED } from './container-run.ts';
import { ManagedContainer } from './managed-container.ts';
import { fetchPodObjects } from './pod-objects.ts';
import { makeVolumes } from './pod-volumes.ts';
import { createSandbox, type Sandbox } from './sandbox.ts';
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
const MOUNT_RETRY_MS = 2_000;

/** The life of one Pod on this node, from the first sight of it to its deletion from the API. */
export class PodWorker implements Disposable {
  readonly containers: readonly ManagedContainer[];
  readonly #deps: PodWorkerDeps;
  readonly #logger: Logger;
  readonly #sync: Reconciler;
  readonly #report: Reconciler;
  readonly #dir: string;
  readonly #startTime: string;
  readonly #onDone: () => void;
  readonly #kill = new AbortController();
  #pod: Pod;
  #sandbox: Sandbox | undefined;
  #cgroup: Cgroup | undefined;
  #context: Promise<ContainerStartContext> | undefined;
  #volumes: ReadonlyMap<string, string> | undefined;
  #sandboxFailures = 0;
  #retry: Disposable | undefined;
  #retryAt = 0;
  #killTimer: Disposable | undefined;
  #terminating = false;
  #gone = false;
  #reported = '';

  /** @param onDone called when nothing of the Pod is left here */
  constructor(pod: Pod, deps: PodWorkerDeps, onDone: () => void) {
    const { namespace = 'default', name = '', uid = '' } = pod.metadata ?? {};
    this.#pod = pod;
    this.#deps = deps;
    this.#onDone = onDone;
    this.#logger = deps.logger.with({ pod: `${namespace}/${name}` });
    this.#dir = join(deps.podsDir, uid);
    this.#startTime = pod.status?.startTime ?? rfc3339(deps.clock.now());
    const logDir = join(deps.logDir, `${namespace}_${name}_${uid}`);
    const manage = (container: Container, init: boolean) =>
      new ManagedContainer({
        container,
        kind: !init ? 'app' : container.restartPolicy === 'Always' ? 'sidecar' : 'init',
        pod: () => this.#pod,
        dir: join(this.#dir, 'containers', container.name),
        logDir: join(logDir, container.name),
        deps: { ...deps, logger: this.#logger.with({ container: container.name }) },
        onChange: () => this.#changed(),
      });
    this.containers = [
      ...(pod.spec?.initContainers ?? []).map((container) => manage(container, true)),
      ...(pod.spec?.containers ?? []).map((container) => manage(container, false)),
    ];
    const options = { logger: this.#logger, clock: deps.clock };
    this.#sync = new Reconciler({ ...options, name: 'pod' }, () => this.#reconcile());
    this.#report = new Reconciler({ ...options, name: 'pod status' }, () => this.#reportStatus());
    this.#sync.trigger();
    this.#report.trigger();
  }

  get pod(): Pod {
    return this.#pod;
  }

  get sandbox(): Sandbox | undefined {
    return this.#sandbox;
  }

  /** A newer version of the object. */
  update(pod: Pod): void {
    this.#pod = pod;
    const grace = pod.metadata?.deletionGracePeriodSeconds;
    if (this.#terminating && grace !== undefined)
      this.#killAfter(grace * 1000, pod.metadata?.deletionTimestamp);
    this.#changed();
  }

  /** The object is gone from the API: everything ends at once. */
  vanished(): void {
    this.#gone = true;
    this.#kill.abort(FORCED);
    this.#changed();
  }

  /** Stops looking after the Pod, without ending it: its processes end with the supervisor. */
  [Symbol.dispose](): void {
    this.#retry?.[Symbol.dispose]();
    this.#killTimer?.[Symbol.dispose]();
    this.#kill.abort();
    // What is under way may wait for others that have ended already, an agent for example; nobody waits for that.
    void this.#sync[Symbol.asyncDispose]();
    void this.#report[Symbol.asyncDispose]();
  }

  #changed(): void {
    this.#sync.trigger();
    this.#report.trigger();
  }

  async #reconcile(): Promise<void> {
    if (this.#gone || this.#pod.metadata?.deletionTimestamp !== undefined) return await this.#terminate();
    const { phase } = podStatus(this.#view());
    if (phase === 'Succeeded' || phase === 'Failed') return await this.#finish();
    if (this.#sandbox === undefined && !(await this.#ensureSandbox())) return;
    for (const container of this.containers.filter(({ kind }) => kind !== 'app')) {
      if (container.kind === 'init' && container.succeeded) continue;
      await this.#ensureStarted(container);
      if (container.kind === 'init' ? !container.succeeded : !container.started) return;
    }
    await Promise.all(
      this.containers.filter(({ kind }) => kind === 'app').map((container) => this.#ensureStarted(container)),
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
      this.#deps.recorder.record(podReference(this.#pod), 'Warning', 'FailedCreatePodSandBox', message);
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

  /** What the containers share is made once, and again after a failure. */
  #startContext(): Promise<ContainerStartContext> {
    this.#context ??= this.#makeContext().catch((error: unknown) => {
      this.#context = undefined;
      throw error;
    });
    return this.#context;
  }

  async #makeContext(): Promise<ContainerStartContext> {
    const pod = this.#pod;
    const sandbox = this.#sandbox;
    if (sandbox === undefined) throw new PodConfigError('the Pod has no sandbox');
    const { nodeName, nodeAddresses, clusterDns, clusterDomain, allocatable, services } = this.#deps;
    const { namespace = 'default' } = pod.metadata ?? {};
    const [objects, apiAccess] = await Promise.all([
      fetchPodObjects(this.#deps.client, pod),
      this.#apiAccess(),
    ]);
    const downward = { podIps: sandbox.podIps, hostIps: nodeAddresses, nodeName, allocatable };
    const hostname = podHostname(pod, nodeName, clusterDomain);
    this.#volumes ??= this.#mountVolumes({ ...downward, objects });
    const resolvConf = podResolvConf(dnsPolicy(pod), pod.spec?.dnsConfig, {
      clusterDns,
      clusterDomain,
      namespace,
      nodeResolvConf: readHostFile('/etc/resolv.conf'),
      hostNetwork: pod.spec?.hostNetwork === true,
    });
    for (const warning of resolvConf.warnings)
      this.#deps.recorder.record(podReference(pod), 'Warning', 'DNSConfigForming', warning);
    return {
      pod,
      netns: sandbox.netns,
      podIp: sandbox.podIps[0] ?? '127.0.0.1',
      hostname: hostname.kernelHostname,
      volumes: this.#volumes,
      apiAccess,
      files: {
        '/etc/resolv.conf': resolvConf.text,
        '/etc/hosts': podHosts(pod, hostname, sandbox.podIps, readHostFile('/etc/hosts')),
        '/etc/hostname': `${hostname.kernelHostname}\n`,
      },
      visible: this.#deps.visible,
      environment: {
        ...downward,
        objects,
        hostname: hostname.kernelHostname,
        serviceEnvironment: serviceEnvironment(services(), namespace, pod.spec?.enableServiceLinks !== false),
      },
    };
  }

  /**
   * Where the Pod's access to the API is, for a Pod that comes without such a volume; undefined when there is no service
   * account to have a token of (yet), which is no reason not to start.
   */
  async #apiAccess(): Promise<string | undefined> {
    const volume = apiAccessVolume(this.#pod);
    if (volume === undefined) return undefined;
    const pod: Pod = { ...this.#pod, spec: { containers: [], ...this.#pod.spec, volumes: [volume] } };
    const { nodeName, nodeAddresses, allocatable } = this.#deps;
    try {
      const objects = await fetchPodObjects(this.#deps.client, pod);
      const context = { objects, podIps: [], hostIps: nodeAddresses, nodeName, allocatable };
      return makeVolumes(pod, join(this.#dir, 'volumes'), context).get(volume.name);
    } catch (error) {
      this.#logger.debug('no access to the API for this Pod', { error: errorMessage(error) });
      return undefined;
    }
  }

  #mountVolumes(context: Parameters<typeof makeVolumes>[2]): ReadonlyMap<string, string> {
    try {
      return makeVolumes(this.#pod, join(this.#dir, 'volumes'), context);
    } catch (error) {
      this.#deps.recorder.record(
        podReference(this.#pod),
        'Warning',
        'FailedMount',
        `MountVolume.SetUp failed: ${errorMessage(error)}`,
      );
      this.#after(MOUNT_RETRY_MS);
      throw error;
    }
  }

  /** All containers that matter have ended: what still runs (sidecars) ends too. */
  async #finish(): Promise<void> {
    const { signal } = new AbortController();
    await this.#stopContainers(30_000, signal);
    await this.#removeSandbox();
  }

  async #terminate(): Promise<void> {
    if (!this.#terminating) {
      this.#terminating = true;
      this.#retry?.[Symbol.dispose]();
      const seconds =
        this.#pod.metadata?.deletionGracePeriodSeconds ?? this.#pod.spec?.terminationGracePeriodSeconds ?? 30;
      this.#killAfter(seconds * 1000, this.#pod.metadata?.deletionTimestamp);
    }
    await this.#stopContainers(this.#graceMs(), this.#kill.signal);
    if (!this.#gone) await this.#reportStatus();
    await this.#removeSandbox();
    this.#killTimer?.[Symbol.dispose]();
    await this.#deleteObject();
    for (const container of this.containers) container.removeLogs();
    rmSync(this.#dir, { recursive: true, force: true });
    this.#onDone();
  }

  #graceMs(): number {
    return this.#kill.signal.aborted ? 0 : (this.#pod.metadata?.deletionGracePeriodSeconds ?? 30) * 1000;
  }

  /** SIGKILL comes at the deletion timestamp, which lies one grace period after the request. */
  #killAfter(graceMs: number, deletionTimestamp: string | undefined): void {
    const due =
      deletionTimestamp === undefined ? graceMs : Date.parse(deletionTimestamp) - this.#deps.clock.now();
    // The timestamp is in whole seconds, so it may be up to one too early.
    const ms = Math.max(0, Math.min(graceMs, due + 1000));
    this.#killTimer?.[Symbol.dispose]();
    this.#killTimer = this.#deps.clock.setTimer(ms, () =>
      this.#kill.abort(graceMs === 0 ? FORCED : undefined),
    );
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
      this.#deps.recorder.record(podReference(this.#pod), 'Warning', 'FailedKillPod', message);
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
      sandboxReady: this.#sandbox !== undefined,
      now: rfc3339(this.#deps.clock.now()),
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

function dnsPolicy(pod: Pod) {
  const policy = pod.spec?.dnsPolicy;
  switch (policy) {
    case 'ClusterFirstWithHostNet':
    case 'Default':
    case 'None':
      return policy;
    default:
      return 'ClusterFirst';
  }
}

function readHostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
