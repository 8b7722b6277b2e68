import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroup } from '#cgroup';
import type { Container, Pod } from '#kube-api';
import type { EventType } from '#kube-client';
import { errorMessage } from '#runtime';
import type { ResolvedImage } from '../images/resolve.ts';
import { type ContainerPlan, containerPlan } from '../plan/container-plan.ts';
import { PodConfigError } from '../plan/errors.ts';
import { containerLimits, wantsLimits } from '../plan/limits.ts';
import type { ContainerLog } from '../runtime/container-log.ts';
import { ContainerStartError } from '../runtime/container-process.ts';
import type { ExitResult } from '../runtime/process-end.ts';
import type { OutputStream } from '../runtime/stdio.ts';
import type { ContainerDeps, ContainerStartContext, RunningContainer } from './container-context.ts';
import { ContainerLife } from './container-life.ts';
import { ContainerLogs } from './container-logs.ts';
import { ContainerProbes } from './container-probes.ts';
import { ContainerRun } from './container-run.ts';
import { ImagePull } from './image-pull.ts';
import { runHook } from './lifecycle-hook.ts';
import { podReference } from './pod-reference.ts';
import type { ContainerView } from './pod-view.ts';

type Kind = ContainerView['kind'];

/** One container of a Pod over all its restarts: starts its runs, and ends them. */
export class ManagedContainer {
  readonly container: Container;
  readonly kind: Kind;
  readonly #pod: () => Pod;
  readonly #dir: string;
  readonly #deps: ContainerDeps;
  readonly #onChange: () => void;
  readonly #life: ContainerLife;
  readonly #image: ImagePull;
  readonly #logs: ContainerLogs;
  readonly #listeners = new Set<(stream: OutputStream, chunk: Buffer) => void>();
  /** The attempt whose back-off an event has told of. */
  #notedBackOff: number | undefined;
  #run: ContainerRun | undefined;

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
    this.#life = new ContainerLife(options.container, options.kind, options.pod(), clock);
    this.#logs = new ContainerLogs(options.logDir, () => clock.now());
    this.#image = new ImagePull({
      images,
      clock,
      event: (type, reason, message) => this.#event(type, reason, message),
      onWaiting: (waiting) => {
        this.#life.wait(waiting);
        this.#onChange();
      },
      stillWaiting: (reason) => this.#life.isWaitingFor(reason),
    });
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

  get succeeded(): boolean {
    return this.#life.succeeded;
  }

  get started(): boolean {
    return this.#life.started;
  }

  /** The log of the present container, or of the one before it. */
  log(previous: boolean): ContainerLog | undefined {
    return this.#logs.get(previous);
  }

  view(): ContainerView {
    return this.#life.view();
  }

  /** Starts it if it is not running and a start is due. Resolves to the milliseconds after which to ask again, if so. */
  async ensureStarted(makeContext: () => Promise<ContainerStartContext>): Promise<number | undefined> {
    if (this.#run !== undefined || this.#life.isOver) return undefined;
    if (this.#life.isBackingOff) this.#noteBackOff();
    const startInMs = this.#life.startInMs() || this.#image.remainingMs();
    if (startInMs > 0) return startInMs;
    const image = this.#image.pull(this.container.image ?? '');
    if (image === undefined) return this.#image.remainingMs() + 1;
    this.#life.imageFound(`podway://${image.name}`);
    try {
      await this.#start(image, makeContext);
      return undefined;
    } catch (error) {
      this.#startFailed(error);
      return Math.max(1, this.#life.startInMs());
    } finally {
      this.#onChange();
    }
  }

  /** Ends it for good: preStop, SIGTERM, and SIGKILL when `deadline` is aborted. */
  async stop(why: string, graceMs: number, deadline: AbortSignal): Promise<void> {
    this.#life.stop();
    await this.#end(why, graceMs, deadline);
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
    const { attempt, podText } = this.#life;
    if (this.#notedBackOff === attempt) return;
    this.#notedBackOff = attempt;
    this.#event('Warning', 'BackOff', `Back-off restarting failed container ${this.name} in pod ${podText}`);
    this.#onChange();
  }

  async #start(image: ResolvedImage, makeContext: () => Promise<ContainerStartContext>): Promise<void> {
    const { clock, random } = this.#deps;
    const context = await makeContext();
    const plan = this.#possible(containerPlan(context.pod, this.container, image, context.environment));
    const layout = await this.#deps.layout();
    const containerId = `podway://${Buffer.from(random.bytes(32)).toString('hex')}`;
    this.#life.beginRun(containerId);
    const { attempt } = this.#life;
    rmSync(join(this.#dir, String(attempt - 1)), { recursive: true, force: true });
    const log = this.#logs.begin(attempt);
    this.#event('Normal', 'Created', `Created container: ${this.name}`);
    const run = await ContainerRun.start({
      container: this.container,
      context,
      plan,
      image,
      layout,
      dir: join(this.#dir, String(attempt)),
      log,
      cgroup: this.#cgroup(attempt),
      clock,
      onOutput: (stream, chunk) => {
        log.append(stream, chunk);
        for (const listener of this.#listeners) listener(stream, chunk);
        return undefined;
      },
    });
    this.#run = run;
    this.#life.running(run.startedAt);
    this.#event('Normal', 'Started', `Started container ${this.name}`);
    run.process.exited.then(
      (result) => this.#exited(run, result, containerId),
      (error: unknown) => {
        this.#deps.logger.error('container process', { error: errorMessage(error) });
        this.#exited(run, { exitCode: 128, signal: 0 }, containerId);
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
  #cgroup(attempt: number): Cgroup | undefined {
    const { cgroups } = this.#deps;
    if (cgroups.obstacle !== undefined && attempt === 0 && wantsLimits(this.container))
      this.#event('Warning', 'LimitsNotEnforced', `resource limits: ${cgroups.obstacle}`);
    if (cgroups.enforced.size === 0) return undefined;
    const { uid = '' } = this.#pod().metadata ?? {};
    return cgroups.create([uid, `${this.name}.${attempt}`], containerLimits(this.container));
  }

  /** What was wrong before the program began. */
  #startFailed(error: unknown): void {
    const message = errorMessage(error);
    this.#event('Warning', 'Failed', `Error: ${message}`);
    if (error instanceof ContainerStartError) this.#life.startError(message);
    else if (error instanceof PodConfigError) this.#life.waitForConfig('CreateContainerConfigError', message);
    else this.#life.waitForConfig('CreateContainerError', message);
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
        this.#life.startupPassed();
        this.#onChange();
      },
      onReady: (ready) => {
        this.#life.setReady(ready);
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

  #exited(run: ContainerRun, result: ExitResult, containerId: string): void {
    this.#life.ended(run.ended(result, containerId));
    this.#run = undefined;
    this.#onChange();
  }

  #event(type: EventType, reason: string, message: string): void {
    const subject = podReference(this.#pod(), { name: this.name, init: this.kind !== 'app' });
    this.#deps.recorder.record(subject, type, reason, message);
  }
}
