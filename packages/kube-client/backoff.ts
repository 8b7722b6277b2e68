import type { Random } from '#runtime';

/** Delays that double from `first` to `max` milliseconds, each drawn from its upper half so that clients spread out. */
export class Backoff {
  readonly #random: Random;
  readonly #first: number;
  readonly #max: number;
  #failures = 0;

  constructor(random: Random, { first, max }: { readonly first: number; readonly max: number }) {
    this.#random = random;
    this.#first = first;
    this.#max = max;
  }

  next(): number {
    const ceiling = Math.min(this.#max, this.#first * 2 ** this.#failures++);
    return ceiling * (0.5 + this.#random.next() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
