import { type Clock, systemClock } from './clock.ts';
import { errorMessage } from './errors.ts';
import type { Logger } from './logger.ts';
import { type RetryDelays, retryDelay } from './retry-delay.ts';

export interface ReconcilerOptions {
  readonly name: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Wait this long after the first trigger, so that a burst is one run. Milliseconds. */
  readonly coalesceMs?: number;
  /** How long to wait after a failed run. */
  readonly retryMs?: RetryDelays;
  /** Run this long after a success though nobody asked, for what changes without a word. Milliseconds; never unless told. */
  readonly againMs?: number;
}

/**
 * Runs one level-triggered function: event handlers call {@link trigger}, the function looks at the whole present
 * state. Runs never overlap; triggers during a run cause exactly one more; a failure is retried with backoff.
 */
export class Reconciler implements AsyncDisposable {
  readonly #reconcile: (signal: AbortSignal) => void | Promise<void>;
  readonly #options: ReconcilerOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  #timer: Disposable | undefined;
  #again: Disposable | undefined;
  #dirty = false;
  #running: Promise<void> | undefined;
  #failures = 0;
  #waiters: (() => void)[] = [];

  constructor(options: ReconcilerOptions, reconcile: (signal: AbortSignal) => void | Promise<void>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#reconcile = reconcile;
  }

  /** Asks for a run; cheap, never throws, safe from any handler. */
  trigger(): void {
    this.#dirty = true;
    if (this.#failures === 0) this.#schedule(this.#options.coalesceMs ?? 0);
  }

  /** Resolves when a run that began after this call has succeeded. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.trigger();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error(`reconciler ${this.#options.name} stopped`));
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#again?.[Symbol.dispose]();
    await this.#running;
  }

  #schedule(ms: number): void {
    if (this.#timer !== undefined || this.#running !== undefined || this.#abort.signal.aborted) return;
    this.#timer = this.#clock.setTimer(ms, () => {
      this.#timer = undefined;
      this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#dirty = false;
    this.#again?.[Symbol.dispose]();
    const waiters = this.#waiters;
    this.#waiters = [];
    try {
      await this.#reconcile(this.#abort.signal);
      this.#failures = 0;
      for (const resolve of waiters) resolve();
    } catch (error) {
      this.#waiters = [...waiters, ...this.#waiters];
      if (!this.#abort.signal.aborted) {
        this.#failures++;
        this.#dirty = true;
        this.#options.logger.warn(`${this.#options.name}: failed, will try again`, {
          error: errorMessage(error),
          failures: this.#failures,
        });
      }
    } finally {
      this.#running = undefined;
      if (this.#dirty) this.#schedule(this.#failures > 0 ? this.#backoff() : (this.#options.coalesceMs ?? 0));
      else this.#scheduleAgain();
    }
  }

  #scheduleAgain(): void {
    const { againMs } = this.#options;
    if (againMs === undefined || this.#abort.signal.aborted) return;
    this.#again = this.#clock.setTimer(againMs, () => this.trigger(), { unref: true });
  }

  #backoff(): number {
    return retryDelay(this.#failures, this.#options.retryMs ?? { first: 50, max: 10_000 });
  }
}
