import type { FrontendKey } from '../../table/entry.ts';

/**
 * Our marks are PREFIX + 0…65535, so that they are told from anyone else's (Kubernetes' own are single bits). A packet has its mark from hook
 * input until IPVS has chosen its destination.
 */
const PREFIX = 0x50570000;
const COUNT = 0x10000;

export function isOurMark(mark: number): boolean {
  return mark >= PREFIX && mark < PREFIX + COUNT;
}

/** Gives each frontend that asks a mark of its own, the same until it is released. */
export class MarkAllocator {
  readonly #byKey = new Map<FrontendKey, number>();
  readonly #used = new Set<number>();
  /** Marks are used again as late as can be: a packet may still carry one. */
  #next = 0;

  /** As an earlier life gave it. One that is not ours, or taken, is not kept. */
  restore(key: FrontendKey, mark: number): void {
    if (!isOurMark(mark) || this.#used.has(mark) || this.#byKey.has(key)) return;
    this.#byKey.set(key, mark);
    this.#used.add(mark);
  }

  of(key: FrontendKey): number {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    for (let tries = 0; tries < COUNT; tries++) {
      const mark = PREFIX + this.#next;
      this.#next = (this.#next + 1) % COUNT;
      if (this.#used.has(mark)) continue;
      this.#byKey.set(key, mark);
      this.#used.add(mark);
      return mark;
    }
    throw new Error(`more than ${COUNT} frontends with externalTrafficPolicy Local`);
  }

  release(key: FrontendKey): void {
    const mark = this.#byKey.get(key);
    if (mark === undefined) return;
    this.#byKey.delete(key);
    this.#used.delete(mark);
  }

  clear(): void {
    this.#byKey.clear();
    this.#used.clear();
  }
}
