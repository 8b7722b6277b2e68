import type { Clock } from '#runtime';

/**
 * Until the cluster's data is in, its names can neither be answered nor denied. Questions wait a little (a Pod that
 * starts with its node gets its first answer without a retry), and no longer than `waitMs`.
 */
export class SyncGate {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #opened: Promise<void>;
  #open = false;

  constructor(synced: readonly Promise<void>[], clock: Clock, waitMs: number) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#opened = Promise.all(synced).then(() => {
      this.#open = true;
    });
    // A list that fails for good is its informer's to report; the gate stays shut.
    this.#opened.catch(() => {});
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Resolves to whether it opened in time. */
  wait(): Promise<boolean> {
    if (this.#open) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(this.#waitMs, () => resolve(this.#open), { unref: true });
      this.#opened.then(
        () => {
          timer[Symbol.dispose]();
          resolve(true);
        },
        () => {},
      );
    });
  }
}
