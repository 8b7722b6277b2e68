import type { Container, Pod } from '#kube-api';
import { type Clock, errorMessage, type Logger } from '#runtime';
import type { ResolvedImage } from '../images/resolve.ts';
import { PodConfigError } from '../plan/errors.ts';
import type { ContainerLog } from '../runtime/container-log.ts';
import { ContainerStartError } from '../runtime/container-process.ts';
import type { ExitResult } from '../runtime/process-end.ts';
import { afterStart } from './after-start.ts';
import type { ContainerDeps, ContainerStartContext, RunningContainer } from './container-context.ts';
import { ContainerEvents } from './container-events.ts';
import { ContainerLife } from './container-life.ts';
import { ContainerLogs } from './container-logs.ts';
import type { ContainerRun } from './container-run.ts';
import { ContainerStarter } from './container-starter.ts';
import { ImagePull } from './image-pull.ts';
import { OutputListeners } from './output-listeners.ts';
import type { ContainerView } from './pod-view.ts';

type Kind = ContainerView['kind'];

/** One container of a Pod over all its restarts: has its runs started when they are due, and ends them. */
export class ManagedContainer {
  readonly container: Container;
  readonly kind: Kind;
  readonly #pod: () => Pod;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onChange: () => void;
  readonly #life: ContainerLife;
  readonly #events: ContainerEvents;
  readonly #image: ImagePull;
  readonly #logs: ContainerLogs;
  readonly #listeners = new OutputListeners();
  readonly #starter: ContainerStarter;
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
    const { container, kind, pod, deps } = options;
    const { clock, images } = deps;
    this.container = container;
    this.kind = kind;
    this.#pod = pod;
    this.#clock = clock;
    this.#logger = deps.logger;
    this.#onChange = options.onChange;
    const life = new ContainerLife(container, kind, pod(), clock);
    const events = new ContainerEvents(deps.recorder, pod, container.name, kind);
    const logs = new ContainerLogs(options.logDir, () => clock.now());
    this.#life = life;
    this.#events = events;
    this.#logs = logs;
    this.#image = new ImagePull({
      images,
      clock,
      event: (type, reason, message) => events.record(type, reason, message),
      onWaiting: (waiting) => {
        life.wait(waiting);
        this.#onChange();
      },
      stillWaiting: (reason) => life.isWaitingFor(reason),
    });
    const { dir } = options;
    const listeners = this.#listeners;
    this.#starter = new ContainerStarter({ container, pod, dir, deps, life, events, logs, listeners });
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
      onOutput: (listener) => this.#listeners.add(listener),
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
    if (this.#life.isBackingOff && this.#events.backOff(this.#life)) this.#onChange();
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

  async #start(image: ResolvedImage, makeContext: () => Promise<ContainerStartContext>): Promise<void> {
    const run = await this.#starter.start(image, makeContext);
    this.#run = run;
    this.#life.running(run.startedAt);
    this.#events.record('Normal', 'Started', `Started container ${this.name}`);
    run.process.exited.then(
      (result) => this.#exited(run, result),
      (error: unknown) => {
        this.#logger.error('container process', { error: errorMessage(error) });
        this.#exited(run, { exitCode: 128, signal: 0 });
      },
    );
    void afterStart(run, {
      container: this.container,
      kind: this.kind,
      clock: this.#clock,
      life: this.#life,
      events: this.#events,
      isPresent: () => this.#run === run,
      onChange: this.#onChange,
      restart: (why, graceSeconds) => this.#restart(why, graceSeconds),
    });
  }

  /** What was wrong before the program began. */
  #startFailed(error: unknown): void {
    const message = errorMessage(error);
    this.#events.record('Warning', 'Failed', `Error: ${message}`);
    if (error instanceof ContainerStartError) this.#life.startError(message);
    else if (error instanceof PodConfigError) this.#life.waitForConfig('CreateContainerConfigError', message);
    else this.#life.waitForConfig('CreateContainerError', message);
  }

  /** Ends the present run, so that the restart policy decides what comes next. */
  async #restart(why: string, graceSeconds?: number): Promise<void> {
    const seconds = graceSeconds ?? this.#pod().spec?.terminationGracePeriodSeconds ?? 30;
    const deadline = new AbortController();
    using _timer = this.#clock.setTimer(seconds * 1000, () => deadline.abort());
    await this.#end(why, seconds * 1000, deadline.signal);
  }

  async #end(why: string, graceMs: number, deadline: AbortSignal): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#events.record('Normal', 'Killing', why);
    await run.end(graceMs, deadline, (failure) =>
      this.#events.record('Warning', 'FailedPreStopHook', `PreStopHook failed: ${failure}`),
    );
  }

  #exited(run: ContainerRun, result: ExitResult): void {
    this.#life.ended(run.ended(result));
    this.#run = undefined;
    this.#onChange();
  }
}
