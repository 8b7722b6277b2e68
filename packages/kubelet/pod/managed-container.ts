import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroup } from '#cgroup';
import type { Container, ContainerState, Pod } from '#kube-api';
import { errorMessage } from '#runtime';
import { type EventType, podReference, rfc3339 } from '../events.ts';
import type { ResolvedImage } from '../images/resolve.ts';
import { type ContainerPlan, containerPlan } from '../plan/container-plan.ts';
import { containerLimits, wantsLimits } from '../plan/limits.ts';
import type { ContainerLog } from '../runtime/container-log.ts';
import type { ExitResult, OutputStream } from '../runtime/container-process.ts';
import type { ContainerDeps, ContainerStartContext, RunningContainer } from './container-context.ts';
import { ContainerLogs } from './container-logs.ts';
import { ContainerProbes } from './container-probes.ts';
import { ContainerRun } from './container-run.ts';
import { CrashBackoff } from './crash-backoff.ts';
import { ImagePull } from './image-pull.ts';
import { runHook } from './lifecycle-hook.ts';
import type { ContainerView } from './status.ts';

type Kind = ContainerView['kind'];

/** A config failure is looked at again after so long. */
const CONFIG_RETRY_MS = 5_000;

/** One container of a Pod over all its restarts. */
export class ManagedContainer {
  readonly container: Container;
  readonly kind: Kind;
  readonly #pod: () => Pod;
  readonly #dir: string;
  readonly #deps: ContainerDeps;
  readonly #onChange: () => void;
  readonly #crashes: CrashBackoff;
  readonly #image: ImagePull;
  readonly #logs: ContainerLogs;
  readonly #listeners = new Set<(stream: OutputStream, chunk: Buffer) => void>();
  #state: ContainerState;
  #lastState: ContainerState = {};
  #restarts = 0;
  #attempt = -1;
  #notedBackOff: number | undefined;
  #containerId = '';
  #imageId = '';
  #startupDone = false;
  #ready = false;
  #run: ContainerRun | undefined;
  #retryAt: number | undefined;
  #stopping = false;

  constructor(options: {
    readonly container: Container;
    readonly kind: Kind;
    readonly pod: () => Pod;
    readonly dir: string;
    readonly logDir: string;
    readonly deps: ContainerDeps;
    readonly onChange: () => void;
  }) {
    this.container = options.container;
    this.kind = options.kind;
    this.#pod = options.pod;
    this.#dir = options.dir;
    this.#deps = options.deps;
    this.#onChange = options.onChange;
    const { clock, images } = options.deps;
    this.#crashes = new CrashBackoff(clock);
    this.#logs = new ContainerLogs(options.logDir, () => clock.now());
    this.#image = new ImagePull({
      images,
      clock,
      event: (type, reason, message) => this.#event(type, reason, message),
      onWaiting: (waiting) => {
        this.#state = { waiting };
        this.#onChange();
      },
      stillWaiting: (reason) => this.#state.waiting?.reason === reason,
    });
    const hasInit = (options.pod().spec?.initContainers ?? []).length > 0;
    this.#state = { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating' } };
  }

  get name(): string {
    return this.container.name;
  }

  get running(): RunningContainer | undefined {
    const run = this.#run;
    if (run === undefined) return undefined;
    return {
      process: run.process,
      tty: run.plan.tty,
      netns: run.context.netns,
      env: run.plan.env,
      exec: (options) => run.exec(options),
      onOutput: (listener) => {
        this.#listeners.add(listener);
        return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
      },
    };
  }

  /** Ended, and not going to be started again. */
  get finished(): boolean {
    return this.#state.terminated !== undefined && !this.#restartable();
  }

  get succeeded(): boolean {
    return this.#state.terminated?.exitCode === 0;
  }

  get started(): boolean {
    return this.#run !== undefined && this.#startupDone;
  }

  /** The log of the present container, or of the one before it. */
  log(previous: boolean): ContainerLog | undefined {
    return this.#logs.get(previous);
  }

  /** How it is shown: an ended container that waits for its restart is in CrashLoopBackOff. */
  view(): ContainerView {
    const waiting = this.#state.terminated !== undefined && this.#restartable() && !this.#stopping;
    const delay = Math.round(this.#crashes.delayMs / 1000);
    const state: ContainerState =
      waiting && delay > 0
        ? {
            waiting: {
              reason: 'CrashLoopBackOff',
              message: `back-off ${formatDelay(delay)} restarting failed container=${this.name} pod=${this.#podText()}`,
            },
          }
        : this.#state;
    return {
      container: this.container,
      kind: this.kind,
      state,
      lastState: waiting && delay > 0 ? this.#state : this.#lastState,
      restartCount: this.#restarts,
      containerId: this.#containerId,
      imageId: this.#imageId,
      started: this.started,
      ready: this.kind === 'init' ? this.succeeded : this.#ready,
    };
  }

  /** Starts it if it is not running and a start is due. Resolves to the milliseconds after which to ask again, if so. */
  async ensureStarted(makeContext: () => Promise<ContainerStartContext>): Promise<number | undefined> {
    if (this.#run !== undefined || this.#stopping || this.finished) return undefined;
    const { clock } = this.#deps;
    if (this.#retryAt !== undefined && this.#retryAt > clock.monotonic())
      return this.#retryAt - clock.monotonic();
    const ended = this.#state.terminated !== undefined;
    if (ended && this.#crashes.remainingMs() > 0) {
      this.#noteBackOff();
      return this.#crashes.remainingMs();
    }
    if (this.#image.remainingMs() > 0) return this.#image.remainingMs();
    const image = this.#image.pull(this.container.image ?? '');
    if (image === undefined) return this.#image.remainingMs() + 1;
    this.#imageId = `podway://${image.name}`;
    if (ended) {
      this.#crashes.next();
      this.#restarts++;
      this.#lastState = { terminated: this.#state.terminated ?? { exitCode: 0 } };
    }
    try {
      await this.#start(image, makeContext);
      return undefined;
    } catch (error) {
      return this.#startFailed(error, ended);
    } finally {
      this.#onChange();
    }
  }

  /** Ends it for good: preStop, SIGTERM, and SIGKILL when `deadline` is aborted. */
  async stop(why: string, graceMs: number, deadline: AbortSignal): Promise<void> {
    this.#stopping = true;
    await this.#end(why, graceMs, deadline);
  }

  /** Removes what it has on disk, but for logs. */
  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  removeLogs(): void {
    this.#logs.remove();
  }

  async #end(why: string, graceMs: number, deadline: AbortSignal): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#event('Normal', 'Killing', why);
    await run.end(graceMs, deadline, (failure) =>
      this.#event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${failure}`),
    );
  }

  /** Reports a delay once, however often it is looked at. */
  #noteBackOff(): void {
    if (this.#notedBackOff === this.#attempt) return;
    this.#notedBackOff = this.#attempt;
    this.#event(
      'Warning',
      'BackOff',
      `Back-off restarting failed container ${this.name} in pod ${this.#podText()}`,
    );
    this.#onChange();
  }

  async #start(image: ResolvedImage, makeContext: () => Promise<ContainerStartContext>): Promise<void> {
    const { clock, random } = this.#deps;
    const context = await makeContext();
    const plan = this.#possible(containerPlan(context.pod, this.container, image, context.environment));
    const layout = await this.#deps.layout();
    this.#attempt++;
    this.#containerId = `podway://${Buffer.from(random.bytes(32)).toString('hex')}`;
    this.#startupDone = false;
    this.#ready = false;
    this.#retryAt = undefined;
    rmSync(join(this.#dir, String(this.#attempt - 1)), { recursive: true, force: true });
    const log = this.#logs.begin(this.#attempt);
    this.#event('Normal', 'Created', `Created container: ${this.name}`);
    this.#crashes.started();
    const run = await ContainerRun.start({
      container: this.container,
      context,
      plan,
      image,
      layout,
      dir: join(this.#dir, String(this.#attempt)),
      log,
      cgroup: this.#cgroup(),
      clock,
      onOutput: (stream, chunk) => {
        log.append(stream, chunk);
        for (const listener of this.#listeners) listener(stream, chunk);
        return undefined;
      },
    });
    this.#run = run;
    this.#state = { running: { startedAt: run.startedAt } };
    this.#event('Normal', 'Started', `Started container ${this.name}`);
    run.process.exited.then(
      (result) => this.#exited(run, result),
      (error: unknown) => {
        this.#deps.logger.error('container process', { error: errorMessage(error) });
        this.#exited(run, { exitCode: 128, signal: 0 });
      },
    );
    void this.#afterStart(run);
  }

  /** The plan without what cannot be had here, which is said. */
  #possible(plan: ContainerPlan): ContainerPlan {
    if (!this.#deps.singleUser || plan.user === undefined) return plan;
    if (plan.user.uid !== 0)
      this.#event(
        'Warning',
        'UserIgnored',
        `runAsUser ${plan.user.uid}: a lab of an ordinary user has one user only`,
      );
    return { ...plan, user: undefined };
  }

  /** The group of the container's next run; undefined where limits are not enforced, which is said. */
  #cgroup(): Cgroup | undefined {
    const { cgroups } = this.#deps;
    if (cgroups.obstacle !== undefined && this.#attempt === 0 && wantsLimits(this.container))
      this.#event('Warning', 'LimitsNotEnforced', `resource limits: ${cgroups.obstacle}`);
    if (cgroups.enforced.size === 0) return undefined;
    const { uid = '' } = this.#pod().metadata ?? {};
    return cgroups.create([uid, `${this.name}.${this.#attempt}`], containerLimits(this.container));
  }

  /** What was wrong before the program began. */
  #startFailed(error: unknown, isRestart: boolean): number {
    const { clock } = this.#deps;
    const message = errorMessage(error);
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    this.#event('Warning', 'Failed', `Error: ${message}`);
    if (code === 'ContainerStart') {
      const now = rfc3339(clock.now());
      this.#state = {
        terminated: {
          exitCode: 128,
          reason: 'StartError',
          message,
          startedAt: now,
          finishedAt: now,
          containerID: this.#containerId,
        },
      };
      this.#crashes.ended();
      return Math.max(1, this.#crashes.remainingMs());
    }
    // Not the container's fault yet: the count of restarts must not rise while its configuration is missing.
    if (isRestart) this.#restarts--;
    const reason = code === 'PodConfig' ? 'CreateContainerConfigError' : 'CreateContainerError';
    this.#state = { waiting: { reason, message } };
    this.#retryAt = clock.monotonic() + CONFIG_RETRY_MS;
    return CONFIG_RETRY_MS;
  }

  async #afterStart(run: ContainerRun): Promise<void> {
    const { postStart } = this.container.lifecycle ?? {};
    if (postStart !== undefined) {
      const failed = await runHook(postStart, run.target, new AbortController().signal);
      if (this.#run !== run) return;
      if (failed !== undefined) {
        this.#event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${failed}`);
        await this.#restart('FailedPostStartHook');
        return;
      }
    }
    if (this.kind === 'init') return;
    run.probes = new ContainerProbes({
      container: this.container,
      target: run.target,
      clock: this.#deps.clock,
      onUnhealthy: (message) => this.#event('Warning', 'Unhealthy', message),
      onStarted: () => {
        this.#startupDone = true;
        this.#onChange();
      },
      onReady: (ready) => {
        this.#ready = ready;
        this.#onChange();
      },
      onDead: (why, graceSeconds) => void this.#restart(why, graceSeconds),
    });
    this.#onChange();
  }

  /** Ends the present run, so that the restart policy decides what comes next. */
  async #restart(why: string, graceSeconds?: number): Promise<void> {
    const seconds = graceSeconds ?? this.#pod().spec?.terminationGracePeriodSeconds ?? 30;
    const deadline = new AbortController();
    using _timer = this.#deps.clock.setTimer(seconds * 1000, () => deadline.abort());
    await this.#end(why, seconds * 1000, deadline.signal);
  }

  #exited(run: ContainerRun, result: ExitResult): void {
    const terminated = run.ended(result, this.#containerId);
    this.#run = undefined;
    this.#ready = false;
    this.#startupDone = false;
    this.#state = { terminated };
    this.#crashes.ended();
    this.#onChange();
  }

  #restartable(): boolean {
    const policy = this.#pod().spec?.restartPolicy ?? 'Always';
    if (this.kind === 'sidecar') return true;
    const failed = this.#state.terminated?.exitCode !== 0;
    if (this.kind === 'init') return failed && policy !== 'Never';
    return policy === 'Always' || (policy === 'OnFailure' && failed);
  }

  #event(type: EventType, reason: string, message: string): void {
    const subject = podReference(this.#pod(), { name: this.name, init: this.kind !== 'app' });
    this.#deps.recorder.record(subject, type, reason, message);
  }

  #podText(): string {
    const { name = '', namespace = '', uid = '' } = this.#pod().metadata ?? {};
    return `${name}_${namespace}(${uid})`;
  }
}

function formatDelay(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
