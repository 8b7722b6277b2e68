import { isConflict, isNotFound } from '#kube-client';
import { type Clock, errorMessage, type Logger, type RetryDelays, retryDelay } from '#runtime';

export interface KeyedReconcilerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long to wait after a failed run of the same key. */
  readonly retryMs?: RetryDelays;
}

/** Looks at the whole present state of one key. May resolve to the milliseconds after which to look again. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<number | undefined>;

/**
 * Runs one level-triggered function for each of many keys. Runs of one key never overlap; triggers in one turn of the
 * event loop, or during a run, are one run more; a failure is tried again with backoff.
 */
export class KeyedReconciler implements AsyncDisposable {
  readonly #options: KeyedReconcilerOptions;
  readonly #reconcile: Reconcile;
  readonly #abort = new AbortController();
  readonly #ready = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, Disposable>();
  readonly #failures = new Map<string, number>();
  #turn: NodeJS.Immediate | undefined;

  constructor(options: KeyedReconcilerOptions, reconcile: Reconcile) {
    this.#options = options;
    this.#reconcile = reconcile;
  }

  /** Asks for a run; cheap, never throws, safe from any handler. */
  trigger(key: string): void {
    if (this.#abort.signal.aborted) return;
    this.#ready.add(key);
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      for (const ready of [...this.#ready]) this.#start(ready);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error(`${this.#options.name} stopped`));
    clearImmediate(this.#turn);
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
    await Promise.all(this.#running.values());
  }

  #start(key: string): void {
    if (this.#running.has(key)) return;
    this.#ready.delete(key);
    this.#setTimer(key, undefined);
    this.#running.set(key, this.#run(key));
  }

  async #run(key: string): Promise<void> {
    try {
      const again = await this.#reconcile(key, this.#abort.signal);
      this.#failures.delete(key);
      this.#setTimer(key, again);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#setTimer(key, this.#failed(key, error));
    } finally {
      this.#running.delete(key);
      if (this.#ready.has(key)) this.trigger(key);
    }
  }

  #failed(key: string, error: unknown): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    // That somebody else was faster is ordinary life; the informer will tell.
    const level = isConflict(error) || isNotFound(error) ? 'debug' : 'warn';
    this.#options.logger[level](`${this.#options.name}: failed, will try again`, {
      key,
      failures,
      error: errorMessage(error),
    });
    return retryDelay(failures, this.#options.retryMs ?? { first: 10, max: 10_000 });
  }

  #setTimer(key: string, ms: number | undefined): void {
    this.#timers.get(key)?.[Symbol.dispose]();
    this.#timers.delete(key);
    if (ms === undefined || this.#abort.signal.aborted) return;
    this.#timers.set(
      key,
      this.#options.clock.setTimer(ms, () => this.trigger(key), { unref: true }),
    );
  }
}
