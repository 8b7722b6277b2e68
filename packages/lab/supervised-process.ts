import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type Clock, errorMessage, type Logger, type RetryDelays, retryDelay, systemClock } from '#runtime';

export interface SupervisedProcessOptions {
  readonly name: string;
  /** See {@link SupervisedProcess.replace}. */
  readonly command: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Standard output and error are appended here. */
  readonly log: string;
  readonly logger: Logger;
  /** Descriptors for each start of the process, from 3 on; disposed here when it has them. */
  readonly descriptors?: () => Promise<InheritedDescriptors>;
  /** Runs the spawn inside a network namespace; it is synchronous. */
  readonly within?: <T>(section: () => T) => T;
  /** Told of each end that nobody asked for, with the reason. */
  readonly onEnd?: (reason: string) => void;
  readonly clock?: Clock;
  /** How long to wait once a new start has failed too; the first comes at once. */
  readonly retryMs?: RetryDelays;
}

export interface InheritedDescriptors extends Disposable {
  readonly fds: readonly number[];
  /** Names them to a process that takes sockets by sd_listen_fds(3). */
  readonly names?: readonly string[];
}

/** Becomes the command, with LISTEN_PID the number that it keeps. */
const TELL_PID = ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh'];

export interface ProcessStatus {
  readonly name: string;
  readonly state: 'running' | 'waiting' | 'stopped';
  /** As the lab numbers it. */
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Why it last ended. */
  readonly lastExit: string | undefined;
  /** Since when it is in this state: milliseconds since the epoch. */
  readonly since: number;
}

/** A run this long was a good one: whoever ends after it is started again at once. */
const HEALTHY_MS = 10_000;
/** How long one that is replaced may take to end. */
const END_MS = 5_000;

/** A process that is started again whenever it ends, at once and then after growing delays, until it is stopped. */
export class SupervisedProcess implements AsyncDisposable {
  readonly #options: SupervisedProcessOptions;
  readonly #clock: Clock;
  #command: readonly string[];
  /** Settled by the next start. */
  #replaced: PromiseWithResolvers<void> | undefined;
  #child: ChildProcess | undefined;
  #timer: Disposable | undefined;
  #exited: Promise<void> = Promise.resolve();
  #stopped = false;
  #starts = 0;
  #failures = 0;
  #lastExit: string | undefined;
  #since: number;

  constructor(options: SupervisedProcessOptions) {
    this.#options = options;
    this.#command = options.command;
    this.#clock = options.clock ?? systemClock;
    this.#since = this.#clock.now();
    this.#start();
  }

  status(): ProcessStatus {
    return {
      name: this.#options.name,
      state: this.#stopped ? 'stopped' : this.#child === undefined ? 'waiting' : 'running',
      pid: this.#child?.pid,
      restarts: Math.max(0, this.#starts - 1),
      lastExit: this.#lastExit,
      since: this.#since,
    };
  }

  /** Ends it and starts another command in its place, at once; resolves when that one has been started. */
  async replace(command: readonly string[]): Promise<void> {
    this.#command = command;
    this.#failures = 0;
    this.#replaced ??= Promise.withResolvers<void>();
    const { promise } = this.#replaced;
    const child = this.#child;
    if (child !== undefined) {
      child.kill('SIGTERM');
      using _patience = this.#clock.setTimer(END_MS, () => void child.kill('SIGKILL'));
      await promise;
      return;
    }
    if (this.#timer !== undefined) {
      this.#timer[Symbol.dispose]();
      this.#timer = undefined;
      this.#start();
    }
    await promise;
  }

  /** Asks it to end; resolves when it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#timer?.[Symbol.dispose]();
    this.#child?.kill('SIGTERM');
    await this.#exited;
  }

  /** Ends it at once, and for good. */
  kill(): void {
    this.#stopped = true;
    this.#timer?.[Symbol.dispose]();
    this.#child?.kill('SIGKILL');
  }

  #start(): void {
    const { descriptors } = this.#options;
    if (descriptors === undefined) {
      this.#spawn({ fds: [], [Symbol.dispose]: () => {} });
      return;
    }
    descriptors().then(
      (inherited) => {
        using owned = inherited;
        if (!this.#stopped) this.#spawn(owned);
      },
      (error: unknown) => this.#onEnd(errorMessage(error), 0),
    );
  }

  #spawn({ fds, names }: InheritedDescriptors): void {
    const { environment, within = (section) => section() } = this.#options;
    const [program = '', ...args] = names === undefined ? this.#command : [...TELL_PID, ...this.#command];
    const env =
      names === undefined
        ? environment
        : { ...environment, LISTEN_FDS: `${fds.length}`, LISTEN_FDNAMES: names.join(':') };
    const log = openSync(this.#options.log, 'a', 0o600);
    let child: ChildProcess;
    try {
      child = within(() => spawn(program, args, { cwd: '/', env, stdio: ['ignore', log, log, ...fds] }));
    } finally {
      closeSync(log);
    }
    this.#child = child;
    this.#starts++;
    this.#replaced?.resolve();
    this.#replaced = undefined;
    const startedAt = this.#clock.monotonic();
    this.#since = this.#clock.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    const onEnd = (reason: string) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      resolve();
      this.#onEnd(reason, this.#clock.monotonic() - startedAt);
    };
    child.once('exit', (code, signal) => onEnd(signal ?? `exit code ${code}`));
    child.once('error', (error) => onEnd(errorMessage(error)));
  }

  #onEnd(reason: string, ranMs: number): void {
    this.#since = this.#clock.now();
    this.#lastExit = reason;
    if (this.#stopped) return;
    if (this.#replaced === undefined) this.#options.onEnd?.(reason);
    this.#restartAfter(ranMs);
  }

  #restartAfter(ranMs: number): void {
    if (ranMs >= HEALTHY_MS) this.#failures = 0;
    const { retryMs = { first: 100, max: 10_000 } } = this.#options;
    const delay = this.#failures === 0 ? 0 : retryDelay(this.#failures, retryMs);
    this.#failures++;
    const level = this.#replaced === undefined ? 'warn' : 'info';
    this.#options.logger[level](`${this.#options.name} ended, starting it again`, {
      reason: this.#lastExit,
      delayMs: delay,
    });
    this.#timer = this.#clock.setTimer(delay, () => {
      this.#timer = undefined;
      this.#start();
    });
  }
}
