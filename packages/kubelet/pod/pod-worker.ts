import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatTime, PODS, type Pod } from '#kube-api';
import { unlessGone } from '#kube-client';
import { Reconciler } from '#runtime';
import { ActiveDeadline } from './active-deadline.ts';
import type { ContainerDeps } from './container-context.ts';
import { GracePeriod, graceMs } from './grace-period.ts';
import { ManagedContainer } from './managed-container.ts';
import { PodContainers } from './pod-containers.ts';
import { podReference } from './pod-reference.ts';
import { PodSetup, type PodSetupDeps } from './pod-setup.ts';
import type { PodView } from './pod-view.ts';
import type { Sandbox } from './sandbox.ts';
import { podPhase } from './status.ts';
import { StatusReporter } from './status-reporter.ts';

export interface PodWorkerDeps extends ContainerDeps, PodSetupDeps {
  /** `RUN_DIR/pods` */
  readonly podsDir: string;
  readonly logDir: string;
}

/** The life of one Pod on this node, from the first sight of it to its deletion from the API. */
export class PodWorker implements Disposable {
  readonly #deps: PodWorkerDeps;
  readonly #sync: Reconciler;
  readonly #status: StatusReporter;
  readonly #dir: string;
  readonly #startTime: string;
  readonly #onDone: () => void;
  readonly #grace: GracePeriod;
  readonly #deadline: ActiveDeadline;
  readonly #setup: PodSetup;
  readonly #containers: PodContainers;
  #pod: Pod;
  #failure: PodView['failure'];
  #retry: Disposable | undefined;
  #retryAt = 0;
  #terminating = false;
  #gone = false;

  /** @param onDone called when nothing of the Pod is left here */
  constructor(pod: Pod, nodeDeps: PodWorkerDeps, onDone: () => void) {
    const { namespace = 'default', name = '', uid = '' } = pod.metadata ?? {};
    const logger = nodeDeps.logger.with({ pod: `${namespace}/${name}` });
    const deps = { ...nodeDeps, logger };
    const { clock } = deps;
    this.#pod = pod;
    this.#deps = deps;
    this.#onDone = onDone;
    this.#dir = join(deps.podsDir, uid);
    this.#startTime = pod.status?.startTime ?? formatTime(clock.now());
    this.#grace = new GracePeriod(clock);
    this.#deadline = new ActiveDeadline(this.#startTime, clock, () => this.#changed());
    this.#sync = new Reconciler({ name: 'pod', logger, clock }, () => this.#reconcile());
    this.#status = new StatusReporter(deps, () => (this.#gone ? undefined : this.#view()));
    this.#setup = new PodSetup(
      () => this.#pod,
      this.#dir,
      deps,
      () => this.#status.trigger(),
    );
    const logDir = join(deps.logDir, `${namespace}_${name}_${uid}`);
    this.#containers = new PodContainers(
      pod,
      (container, kind) =>
        new ManagedContainer({
          container,
          kind,
          pod: () => this.#pod,
          dir: join(this.#dir, 'containers', container.name),
          logDir: join(logDir, container.name),
          deps: { ...deps, logger: logger.with({ container: container.name }) },
          onChange: () => this.#changed(),
        }),
    );
    this.#changed();
  }

  get containers(): readonly ManagedContainer[] {
    return this.#containers.all;
  }

  get pod(): Pod {
    return this.#pod;
  }

  get sandbox(): Sandbox | undefined {
    return this.#setup.sandbox;
  }

  /** A newer version of the object. */
  update(pod: Pod): void {
    const relabelled = labelsOf(pod) !== labelsOf(this.#pod);
    this.#pod = pod;
    this.#containers.addEphemeral(pod);
    if (relabelled) this.#setup.relabelled();
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
    this.#setup.stopFollowing();
    this.#deadline[Symbol.dispose]();
    this.#grace[Symbol.dispose]();
    // What is under way may wait for others that have ended already, an agent for example; nobody waits for that.
    void this.#sync[Symbol.asyncDispose]();
    void this.#status[Symbol.asyncDispose]();
  }

  #changed(): void {
    this.#sync.trigger();
    this.#status.trigger();
  }

  async #reconcile(): Promise<void> {
    if (this.#gone || this.#pod.metadata?.deletionTimestamp !== undefined) return await this.#terminate();
    this.#checkDeadline();
    const phase = podPhase(this.#view());
    if (phase === 'Succeeded' || phase === 'Failed') return await this.#finish();
    const again =
      (await this.#setup.ensure()) ?? (await this.#containers.start(() => this.#setup.startContext()));
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

  #checkDeadline(): void {
    if (this.#failure !== undefined || !this.#deadline.isOver(this.#pod)) return;
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#failure = { reason: 'DeadlineExceeded', message };
    this.#deps.recorder.record(podReference(this.#pod), 'Normal', 'DeadlineExceeded', message);
    this.#status.trigger();
  }

  /** All containers that matter have ended: what still runs (sidecars) ends too. */
  async #finish(): Promise<void> {
    const ms = graceMs(this.#pod);
    const deadline = new AbortController();
    using _timer = this.#deps.clock.setTimer(ms, () => deadline.abort());
    await this.#containers.stop(ms, deadline.signal);
    await this.#setup.removeSandbox();
  }

  async #terminate(): Promise<void> {
    if (!this.#terminating) this.#beginTermination();
    const { over } = this.#grace;
    await this.#containers.stop(over.aborted ? 0 : graceMs(this.#pod), over);
    await this.#status.report();
    await this.#setup.removeSandbox();
    this.#grace[Symbol.dispose]();
    await this.#deleteObject();
    this.#containers.removeLogs();
    this.#setup[Symbol.dispose]();
    rmSync(this.#dir, { recursive: true, force: true });
    this.#onDone();
  }

  #beginTermination(): void {
    this.#terminating = true;
    this.#retry?.[Symbol.dispose]();
    this.#setup.stopFollowing();
    this.#grace.begin(graceMs(this.#pod), this.#pod.metadata?.deletionTimestamp);
  }

  async #deleteObject(): Promise<void> {
    if (this.#gone) return;
    const { namespace = 'default', name = '', uid } = this.#pod.metadata ?? {};
    const preconditions = uid === undefined ? {} : { preconditions: { uid } };
    await unlessGone(() =>
      this.#deps.client.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0, ...preconditions }),
    );
  }

  #view(): PodView {
    const { sandbox } = this.#setup;
    return {
      pod: this.#pod,
      containers: this.containers.map((container) => container.view()),
      podIps: sandbox?.podIps ?? this.#pod.status?.podIPs?.map(({ ip }) => ip) ?? [],
      hostIps: this.#deps.nodeAddresses,
      startTime: this.#startTime,
      failure: this.#failure,
      sandboxReady: sandbox !== undefined,
      now: formatTime(this.#deps.clock.now()),
    };
  }
}

/** What volumes may show of the object that can change. */
function labelsOf({ metadata }: Pod): string {
  return JSON.stringify([metadata?.labels, metadata?.annotations]);
}
