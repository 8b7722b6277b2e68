/** A change that was made to see when it is in force. Times are milliseconds since the epoch. */
interface Pulse {
  readonly sent: number;
  readonly seen: number;
}

/**
 * By when a change must be in force, on a machine however busy: changes are heard of in the order they were made in, so that one has been
 * decided on when a later one is in force; and what was decided on together with that has been written when the next is.
 */
export class Pulses {
  readonly #pulses: Pulse[] = [];

  get count(): number {
    return this.#pulses.length;
  }

  /** Each is sent when the one before has been seen. */
  add(sent: number, seen: number): void {
    this.#pulses.push({ sent, seen });
  }

  /** From when on what was acknowledged then must be in force: infinite when nothing says so. */
  due(acknowledged: number): number {
    const first = this.#pulses.findIndex(({ sent }) => sent > acknowledged);
    const second = first === -1 ? undefined : this.#pulses[first + 1];
    return second?.seen ?? Number.POSITIVE_INFINITY;
  }
}
