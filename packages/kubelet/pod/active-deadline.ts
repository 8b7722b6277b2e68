import type { Pod } from '#kube-api';
import type { Clock } from '#runtime';

/** `activeDeadlineSeconds`: how long a Pod may be on its node, whatever it does. */
export class ActiveDeadline implements Disposable {
  readonly #startTime: number;
  readonly #clock: Clock;
  readonly #onOver: () => void;
  #timer: Disposable | undefined;

  /** @param startTime RFC 3339 @param onOver called when the time that {@link isOver} found left has passed */
  constructor(startTime: string, clock: Clock, onOver: () => void) {
    this.#startTime = Date.parse(startTime);
    this.#clock = clock;
    this.#onOver = onOver;
  }

  isOver(pod: Pod): boolean {
    this.#timer?.[Symbol.dispose]();
    const seconds = pod.spec?.activeDeadlineSeconds;
    if (seconds === undefined) return false;
    const remaining = this.#startTime + seconds * 1000 - this.#clock.now();
    if (remaining <= 0) return true;
    this.#timer = this.#clock.setTimer(remaining, this.#onOver);
    return false;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}
