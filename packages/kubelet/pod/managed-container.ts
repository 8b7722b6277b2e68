import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  LifecycleHandler,
  Pod,
  Probe,
} from '#kube-api';
import { errorMessage } from '#runtime';
import { type EventType, podReference, rfc3339 } from '../events.ts';
import type { ResolvedImage } from '../images/resolve.ts';
import { type ContainerPlan, containerPlan } from '../plan/container-plan.ts';
import { execInContainer, runInContainer } from '../runtime/container-exec.ts';
import { ContainerLog, rotatedPath } from '../runtime/container-log.ts';
import {
  type ContainerProcess,
  type ExitResult,
  type OutputStream,
  startContainer,
} from '../runtime/container-process.ts';
import { buildRoot } from './build-root.ts';
import type { ContainerDeps, ContainerStartContext, RunningContainer } from './container-context.ts';
import { CrashBackoff } from './crash-backoff.ts';
import { runHook } from './lifecycle-hook.ts';
import { type ProbeTarget, runProbe } from './probe.ts';
import { type ProbeKind, Prober } from './prober.ts';
import type { ContainerView } from './status.ts';
import { terminationMessage } from './termination-message.ts';

interface Running {
  readonly process: ContainerProcess;
  readonly plan: ContainerPlan;
  readonly context: ContainerStartContext;
  readonly startedAt: string;
  readonly probers: { readonly kind: ProbeKind; readonly prober: Prober }[];
  readonly log: ContainerLog;
}

type Kind = ContainerView['kind'];

/** The reason of a deadline that leaves no time at all. */
export const FORCED = Symbol('forced');
/** What a container has between SIGTERM and SIGKILL when its preStop hook took all the time there was. */
const MIN_GRACE_MS = 2_000;
/** A probe or config failure is looked at again after so long. */
const CONFIG_RETRY_MS = 5_000;

/** One container of a Pod over all its restarts. */
export class ManagedContainer {
  readonly container: Container;
  readonly kind: Kind;
  readonly #pod: () => Pod;
  readonly #dir: string;
  readonly #logDir: string;
  readonly #deps: ContainerDeps;
  readonly #onChange: () => void;
  readonly #crashes: CrashBackoff;
  readonly #pulls: CrashBackoff;
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
  #running: Running | undefined;
  #logs: ContainerLog[] = [];
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
    this.#logDir = options.logDir;
    this.#deps = options.deps;
    this.#onChange = options.onChange;
    this.#crashes = new CrashBackoff(options.deps.clock);
    this.#pulls = new CrashBackoff(options.deps.clock);
    const hasInit = (options.pod().spec?.initContainers ?? []).length > 0;
    this.#state = { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating' } };
  }

  get name(): string {
    return this.container.name;
  }

  get running(): RunningContainer | undefined {
    const running = this.#running;
    if (running === undefined) return undefined;
    return {
      process: running.process,
      tty: running.plan.tty,
      netns: running.context.netns,
      env: running.plan.env,
      exec: (options) => execInContainer({ ...this.#execSpec(running), ...options }),
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
    return this.#running !== undefined && this.#startupDone;
  }

  /** The log of the present container, or of the one before it. */
  log(previous: boolean): ContainerLog | undefined {
    return this.#logs.at(previous ? -2 : -1);
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
      started: this.#startupDone && this.#running !== undefined,
      ready: this.kind === 'init' ? this.succeeded : this.#ready,
    };
  }

  /** Starts it if it is not running and a start is due. Resolves to the milliseconds after which to ask again, if so. */
  async ensureStarted(makeContext: () => Promise<ContainerStartContext>): Promise<number | undefined> {
    if (this.#running !== undefined || this.#stopping || this.finished) return undefined;
    const { clock } = this.#deps;
    if (this.#retryAt !== undefined && this.#retryAt > clock.monotonic())
      return this.#retryAt - clock.monotonic();
    const ended = this.#state.terminated !== undefined;
    if (ended && this.#crashes.remainingMs() > 0) {
      this.#noteBackOff();
      return this.#crashes.remainingMs();
    }
    if (this.#pulls.remainingMs() > 0) return this.#pulls.remainingMs();
    const image = this.#pull();
    if (image === undefined) return this.#pulls.remainingMs() + 1;
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

  /** Ends it: preStop, SIGTERM, and SIGKILL when `deadline` is aborted. */
  async stop(why: string, graceMs: number, deadline: AbortSignal): Promise<void> {
    this.#stopping = true;
    await this.#end(why, graceMs, deadline);
  }

  async #end(why: string, graceMs: number, deadline: AbortSignal): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#event('Normal', 'Killing', why);
    // Readiness goes on being asked: a Pod that is ending may still serve.
    for (const { kind, prober } of running.probers) if (kind !== 'readiness') prober[Symbol.dispose]();
    const { preStop } = this.container.lifecycle ?? {};
    const exited = running.process.exited.then(
      () => {},
      () => {},
    );
    if (preStop !== undefined && graceMs > 0 && !deadline.aborted) {
      const hook = this.#runHook(preStop, running, deadline);
      const failed = await Promise.race([hook, exited.then(() => undefined)]);
      if (failed !== undefined) this.#event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${failed}`);
    }
    const kill = () => running.process.kill('SIGKILL');
    if (graceMs === 0 || deadline.reason === FORCED) kill();
    else if (deadline.aborted) {
      running.process.kill(stopSignal(this.container));
      using _timer = this.#deps.clock.setTimer(MIN_GRACE_MS, kill);
      await exited;
    } else {
      deadline.addEventListener('abort', kill, { once: true });
      running.process.kill(stopSignal(this.container));
    }
    await exited;
    deadline.removeEventListener('abort', kill);
  }

  /** Removes what it has on disk, but for logs. */
  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  removeLogs(): void {
    for (const log of this.#logs)
      for (const path of [log.path, rotatedPath(log.path)]) rmSync(path, { force: true });
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

  #pull(): ResolvedImage | undefined {
    const image = this.container.image ?? '';
    const result = this.#deps.images.resolve(image);
    if (result.kind === 'found') {
      this.#imageId = `podway://${result.image.name}`;
      this.#event('Normal', 'Pulled', `Container image "${image}" already present on machine`);
      return result.image;
    }
    if (result.kind === 'invalid') {
      this.#event('Warning', 'InspectFailed', result.message);
      this.#state = { waiting: { reason: 'InvalidImageName', message: result.message } };
      this.#pulls.next();
      this.#pulls.ended();
      this.#onChange();
      return undefined;
    }
    this.#event('Normal', 'Pulling', `Pulling image "${image}"`);
    this.#event('Warning', 'Failed', `Failed to pull image "${image}": ${result.message}`);
    this.#event('Warning', 'Failed', 'Error: ErrImagePull');
    this.#state = { waiting: { reason: 'ErrImagePull', message: result.message } };
    this.#onChange();
    this.#pulls.next();
    this.#pulls.ended();
    this.#deps.clock.setTimer(
      1000,
      () => {
        if (this.#state.waiting?.reason !== 'ErrImagePull') return;
        this.#event('Normal', 'BackOff', `Back-off pulling image "${image}"`);
        this.#event('Warning', 'Failed', 'Error: ImagePullBackOff');
        const message = `Back-off pulling image "${image}": ErrImagePull: ${result.message}`;
        this.#state = { waiting: { reason: 'ImagePullBackOff', message } };
        this.#onChange();
      },
      { unref: true },
    );
    return undefined;
  }

  async #start(image: ResolvedImage, makeContext: () => Promise<ContainerStartContext>): Promise<void> {
    const { clock, random } = this.#deps;
    const context = await makeContext();
    const wanted = containerPlan(context.pod, this.container, image, context.environment);
    const plan = this.#deps.singleUser ? { ...wanted, user: undefined } : wanted;
    if (wanted.user !== plan.user && wanted.user?.uid !== 0)
      this.#event(
        'Warning',
        'UserIgnored',
        `runAsUser ${wanted.user?.uid}: a lab of an ordinary user has one user only`,
      );
    const layout = await this.#deps.layout();
    this.#attempt++;
    this.#containerId = `podway://${Buffer.from(random.bytes(32)).toString('hex')}`;
    this.#startupDone = false;
    this.#ready = false;
    this.#retryAt = undefined;
    const dir = join(this.#dir, String(this.#attempt));
    rmSync(join(this.#dir, String(this.#attempt - 1)), { recursive: true, force: true });
    const root = buildRoot(dir, layout, image, plan, context);
    const log = new ContainerLog(join(this.#logDir, `${this.#attempt}.log`), () => clock.now());
    this.#logs.push(log);
    for (const old of this.#logs.splice(0, Math.max(0, this.#logs.length - 2)))
      for (const path of [old.path, rotatedPath(old.path)]) rmSync(path, { force: true });
    this.#event('Normal', 'Created', `Created container: ${this.name}`);
    const startedAt = rfc3339(clock.now());
    this.#crashes.started();
    const process = await startContainer({
      root,
      dir,
      netns: context.netns,
      argv: plan.argv,
      env: plan.env,
      workingDir: plan.workingDir,
      hostname: context.hostname,
      user: plan.user,
      tty: plan.tty,
      stdin: plan.stdin,
      onOutput: (stream, chunk) => {
        log.append(stream, chunk);
        for (const listener of this.#listeners) listener(stream, chunk);
      },
    }).catch((error: unknown) => {
      log.end();
      throw error;
    });
    const running: Running = { process, plan, context, startedAt, probers: [], log };
    this.#running = running;
    this.#state = { running: { startedAt } };
    this.#event('Normal', 'Started', `Started container ${this.name}`);
    process.exited.then(
      (result) => this.#exited(running, result, dir),
      (error: unknown) => {
        this.#deps.logger.error('container process', { error: errorMessage(error) });
        this.#exited(running, { exitCode: 128, signal: 0 }, dir);
      },
    );
    void this.#afterStart(running);
  }

  /** What was wrong before the program began. */
  #startFailed(error: unknown, isRestart: boolean): number {
    const { clock } = this.#deps;
    const message = errorMessage(error);
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ContainerStart') {
      this.#event('Warning', 'Failed', `Error: ${message}`);
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
    this.#event('Warning', 'Failed', `Error: ${message}`);
    this.#state = { waiting: { reason, message } };
    this.#retryAt = clock.monotonic() + CONFIG_RETRY_MS;
    return CONFIG_RETRY_MS;
  }

  async #afterStart(running: Running): Promise<void> {
    const { postStart } = this.container.lifecycle ?? {};
    if (postStart !== undefined) {
      const failed = await this.#runHook(postStart, running, new AbortController().signal);
      if (this.#running !== running) return;
      if (failed !== undefined) {
        this.#event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${failed}`);
        await this.#restart(`FailedPostStartHook`);
        return;
      }
    }
    if (this.kind === 'init') return;
    const { startupProbe } = this.container;
    if (startupProbe === undefined) this.#startupPassed(running);
    else
      this.#addProber(running, 'startup', startupProbe, (ok, prober) => {
        prober[Symbol.dispose]();
        if (ok) this.#startupPassed(running);
        else void this.#restart(`Container ${this.name} failed startup probe, will be restarted`);
      });
    this.#onChange();
  }

  #startupPassed(running: Running): void {
    const { readinessProbe, livenessProbe } = this.container;
    this.#startupDone = true;
    if (readinessProbe === undefined) this.#ready = true;
    else
      this.#addProber(running, 'readiness', readinessProbe, (ok) => {
        this.#ready = ok;
        this.#onChange();
      });
    if (livenessProbe !== undefined)
      this.#addProber(running, 'liveness', livenessProbe, (ok, prober) => {
        if (ok) return;
        prober[Symbol.dispose]();
        const seconds = livenessProbe.terminationGracePeriodSeconds;
        void this.#restart(`Container ${this.name} failed liveness probe, will be restarted`, seconds);
      });
    this.#onChange();
  }

  #addProber(
    running: Running,
    kind: ProbeKind,
    probe: Probe,
    onResult: (ok: boolean, prober: Prober) => void,
  ): void {
    const prober: Prober = new Prober({
      probe,
      clock: this.#deps.clock,
      run: () => runProbe(probe, this.#probeTarget(running)),
      onFailure: (message) =>
        this.#event(
          'Warning',
          'Unhealthy',
          `${kind[0]?.toUpperCase()}${kind.slice(1)} probe failed: ${message}`,
        ),
      onResult: (ok) => {
        if (this.#running === running) onResult(ok, prober);
      },
    });
    running.probers.push({ kind, prober });
  }

  /** Ends the present process, so that the restart policy decides what comes next. */
  async #restart(why: string, graceSeconds?: number): Promise<void> {
    const seconds = graceSeconds ?? this.#pod().spec?.terminationGracePeriodSeconds ?? 30;
    const deadline = new AbortController();
    using _timer = this.#deps.clock.setTimer(seconds * 1000, () => deadline.abort());
    await this.#end(why, seconds * 1000, deadline.signal);
  }

  /** @returns why it failed */
  #runHook(hook: LifecycleHandler, running: Running, deadline: AbortSignal): Promise<string | undefined> {
    return runHook(hook, this.#probeTarget(running), deadline);
  }

  #probeTarget(running: Running): ProbeTarget {
    return {
      container: this.container,
      netns: running.context.netns,
      podIp: running.context.podIp,
      clock: this.#deps.clock,
      exec: (argv, signal) => runInContainer({ ...this.#execSpec(running), argv }, signal),
    };
  }

  #exited(running: Running, result: ExitResult, dir: string): void {
    for (const { prober } of running.probers) prober[Symbol.dispose]();
    running.log.end();
    const { startedAt } = running;
    const message = terminationMessage(dir, this.container, result.exitCode, running.log.path);
    const terminated: ContainerStateTerminated = {
      exitCode: result.exitCode,
      ...(result.signal === 0 ? {} : { signal: result.signal }),
      reason: result.exitCode === 0 ? 'Completed' : 'Error',
      ...(message === '' ? {} : { message }),
      startedAt,
      finishedAt: rfc3339(this.#deps.clock.now()),
      containerID: this.#containerId,
    };
    this.#running = undefined;
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

  #execSpec(running: Running) {
    const { plan, context, process } = running;
    const { env, workingDir, user } = plan;
    const multiplexer = plan.tty ? '/dev/ptmx' : `/proc/${process.pid}/root/dev/pts/ptmx`;
    return { pid: process.pid, netns: context.netns, env, workingDir, user, multiplexer };
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

function stopSignal(container: Container): NodeJS.Signals {
  const given = container.lifecycle?.stopSignal;
  return given !== undefined && /^SIG[A-Z0-9]+$/.test(given) ? (given as NodeJS.Signals) : 'SIGTERM';
}
