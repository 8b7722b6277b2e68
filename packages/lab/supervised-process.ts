import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type Clock, errorMessage, type Logger, systemClock } from '#runtime';

export interface SupervisedProcessOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Standard output and error are appended here. */
  readonly log: string;
  readonly logger: Logger;
  /** Descriptors for each start of the process, from 3 on; disposed here when it has them. */
  readonly descriptors?: () => Promise<InheritedDescriptors>;
  /** Runs the spawn inside a network namespace; it is synchronous. */
  readonly within?: <T>(section: () => T) => T;
  readonly clock?: Clock;
  /** Delays before the first and the longest wait for a new start. Milliseconds. */
  readonly retryMs?: { readonly first: number; readonly max: number };
}

export interface InheritedDescriptors extends Disposable {
  readonly fds: readonly number[];
}

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

/** A run this long was a good one: the next end is answered at once again. */
const HEALTHY_MS = 10_000;

/** A process that is started again whenever it ends, after growing delays, until it is stopped. */
export class SupervisedProcess implements AsyncDisposable {
  readonly #options: SupervisedProcessOptions;
  readonly #clock: Clock;
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
      this.#spawn([]);
      return;
    }
    descriptors().then(
      (inherited) => {
        using owned = inherited;
        if (!this.#stopped) this.#spawn(owned.fds);
      },
      (error: unknown) => this.#onEnd(errorMessage(error), 0),
    );
  }

  #spawn(descriptors: readonly number[]): void {
    const { command, environment, within = (section) => section() } = this.#options;
    const [program = '', ...args] = command;
    const log = openSync(this.#options.log, 'a', 0o600);
    let child: ChildProcess;
    try {
      child = within(() =>
        spawn(program, args, { cwd: '/', env: environment, stdio: ['ignore', log, log, ...descriptors] }),
      );
    } finally {
      closeSync(log);
    }
    this.#child = child;
    this.#starts++;
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
    if (!this.#stopped) this.#restartAfter(ranMs);
  }

  #restartAfter(ranMs: number): void {
    const { first, max } = this.#options.retryMs ?? { first: 100, max: 10_000 };
    this.#failures = ranMs >= HEALTHY_MS ? 0 : this.#failures + 1;
    const delay = this.#failures === 0 ? 0 : Math.min(max, first * 2 ** (this.#failures - 1));
    this.#options.logger.warn(`${this.#options.name} ended, starting it again`, {
      reason: this.#lastExit,
      delayMs: delay,
    });
    this.#timer = this.#clock.setTimer(delay, () => this.#start());
  }
}
