import type { Clock } from '#runtime';
import type { BootMark } from './records.ts';

/** When each part of the boot was done, counted from the start of the user's command. Each part is marked once. */
export class BootTimeline {
  readonly #startedAt: number;
  readonly #clock: Clock;
  readonly #onMark: (mark: BootMark) => void;
  readonly #marks: BootMark[] = [];

  /** @param startedAt milliseconds since the epoch */
  constructor(startedAt: number, clock: Clock, onMark: (mark: BootMark) => void) {
    this.#startedAt = startedAt;
    this.#clock = clock;
    this.#onMark = onMark;
  }

  get marks(): readonly BootMark[] {
    return this.#marks;
  }

  /** @returns milliseconds since the start */
  mark(part: string): number {
    const known = this.#marks.find((mark) => mark.part === part);
    if (known !== undefined) return known.at;
    const at = Math.round(this.#clock.now() - this.#startedAt);
    const mark = { part, at };
    this.#marks.push(mark);
    this.#onMark(mark);
    return at;
  }
}
