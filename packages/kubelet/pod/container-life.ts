import {
  type Container,
  type ContainerState,
  type ContainerStateTerminated,
  formatTime,
  type Pod,
} from '#kube-api';
import type { Clock } from '#runtime';
import { CrashBackoff } from './crash-backoff.ts';
import type { ContainerView } from './pod-view.ts';

/** How long until what is missing for a container (a ConfigMap, a Secret) is looked for again. */
const CONFIG_RETRY_MS = 5_000;

/**
 * The state of one container over all its runs, and when it may start: told of what happens, it decides by the Pod's
 * restart policy. It touches nothing.
 */
export class ContainerLife {
  /** As the kubelet's messages name a Pod: `NAME_NAMESPACE(UID)`. */
  readonly podText: string;
  readonly #container: Container;
  readonly #kind: ContainerView['kind'];
  readonly #clock: Clock;
  readonly #crashes: CrashBackoff;
  readonly #restartPolicy: string;
  #state: ContainerState;
  #lastState: ContainerState = {};
  #attempt = -1;
  #containerId = '';
  #imageId = '';
  #startupDone = false;
  #ready = false;
  #retryAt = Number.NEGATIVE_INFINITY;
  #stopping = false;

  constructor(container: Container, kind: ContainerView['kind'], pod: Pod, clock: Clock) {
    const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
    this.#container = container;
    this.#kind = kind;
    this.#clock = clock;
    this.#crashes = new CrashBackoff(clock);
    this.#restartPolicy = pod.spec?.restartPolicy ?? 'Always';
    this.podText = `${name}_${namespace}(${uid})`;
    const hasInit = (pod.spec?.initContainers ?? []).length > 0;
    this.#state = { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating' } };
  }

  /** The number of the present run, or of the last one; -1 before the first. */
  get attempt(): number {
    return this.#attempt;
  }

  get succeeded(): boolean {
    return this.#state.terminated?.exitCode === 0;
  }

  /** It runs, and its startup probe has passed, if it has one. */
  get started(): boolean {
    return this.#state.running !== undefined && this.#startupDone;
  }

  /** Not going to be started again: it was to stop, or has ended for good. */
  get isOver(): boolean {
    return this.#stopping || (this.#state.terminated !== undefined && !this.#isRestartable());
  }

  /** It ended, and the time until its restart is not over. */
  get isBackingOff(): boolean {
    return this.#state.terminated !== undefined && this.#crashes.remainingMs() > 0;
  }

  /** Milliseconds until a start is due, after a crash or for want of configuration; 0: now. */
  startInMs(): number {
    if (this.#state.terminated !== undefined) return this.#crashes.remainingMs();
    return Math.max(0, this.#retryAt - this.#clock.monotonic());
  }

  /** Whether it waits, for `reason`. */
  isWaitingFor(reason: string): boolean {
    return this.#state.waiting?.reason === reason;
  }

  /** It cannot start now. */
  wait(waiting: NonNullable<ContainerState['waiting']>): void {
    this.#enter({ waiting });
  }

  /** It cannot start for want of something outside of it, which is looked for again some seconds later. */
  waitForConfig(reason: string, message: string): void {
    this.#enter({ waiting: { reason, message } });
    this.#retryAt = this.#clock.monotonic() + CONFIG_RETRY_MS;
  }

  imageFound(imageId: string): void {
    this.#imageId = imageId;
  }

  /** A run begins, a restart if it is not the first: {@link running}, {@link startError} or {@link waitForConfig} come next. */
  beginRun(containerId: string): void {
    if (this.#attempt >= 0) this.#crashes.next();
    this.#attempt++;
    this.#containerId = containerId;
    this.#startupDone = false;
    this.#ready = false;
    this.#crashes.started();
  }

  /** @param startedAt RFC 3339 */
  running(startedAt: string): void {
    this.#enter({ running: { startedAt } });
  }

  /** The program did not begin, for a reason of its own. */
  startError(message: string): void {
    const now = formatTime(this.#clock.now());
    this.ended({
      exitCode: 128,
      reason: 'StartError',
      message,
      startedAt: now,
      finishedAt: now,
      containerID: this.#containerId,
    });
  }

  ended(terminated: ContainerStateTerminated): void {
    this.#enter({ terminated });
    this.#ready = false;
    this.#startupDone = false;
    this.#crashes.ended();
  }

  startupPassed(): void {
    this.#startupDone = true;
  }

  setReady(ready: boolean): void {
    this.#ready = ready;
  }

  /** Whatever comes, it is not started again. */
  stop(): void {
    this.#stopping = true;
  }

  /** How it is shown: an ended container that waits for its restart is in CrashLoopBackOff. */
  view(): ContainerView {
    const isCrashLoop =
      this.#state.terminated !== undefined && !this.isOver && Math.round(this.#crashes.delayMs / 1000) > 0;
    return {
      container: this.#container,
      kind: this.#kind,
      state: isCrashLoop ? { waiting: this.#crashLoop() } : this.#state,
      lastState: isCrashLoop ? this.#state : this.#lastState,
      restartCount: Math.max(0, this.#attempt),
      containerId: this.#containerId,
      imageId: this.#imageId,
      started: this.started,
      ready: this.#kind === 'init' ? this.succeeded : this.#ready,
    };
  }

  #crashLoop(): NonNullable<ContainerState['waiting']> {
    const delay = formatDelay(Math.round(this.#crashes.delayMs / 1000));
    const what = `container=${this.#container.name} pod=${this.podText}`;
    return { reason: 'CrashLoopBackOff', message: `back-off ${delay} restarting failed ${what}` };
  }

  #enter(state: ContainerState): void {
    if (this.#state.terminated !== undefined) this.#lastState = this.#state;
    this.#state = state;
  }

  #isRestartable(): boolean {
    if (this.#kind === 'sidecar') return true;
    if (this.#kind === 'ephemeral') return false;
    const failed = this.#state.terminated?.exitCode !== 0;
    if (this.#kind === 'init') return failed && this.#restartPolicy !== 'Never';
    return this.#restartPolicy === 'Always' || (this.#restartPolicy === 'OnFailure' && failed);
  }
}

function formatDelay(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
