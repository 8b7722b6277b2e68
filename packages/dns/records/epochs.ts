/** FNV-1a over UTF-16 units, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** The epochs an answer was built in: it is current as long as none of them has passed. Slot and epoch in turn. */
export type Stamp = readonly number[];

const SLOTS = 4096;

/**
 * Tells which built answers a change has made old, without knowing the answers: a change to a thing (a Service, an
 * address, a namespace) ends the epoch of the slot its tag falls in. An answer remembers the epochs of all tags it
 * looked at, absent things included. Two tags in one slot only mean an answer built once more than needed.
 */
export class Epochs {
  readonly slots: Uint32Array = new Uint32Array(SLOTS);
  /** Epochs that have ended, of all slots: while this stands still, what was current is. */
  ended = 0;

  bump(tag: string): void {
    this.ended++;
    const slot = hash(tag) % SLOTS;
    this.slots[slot] = (this.slots[slot] ?? 0) + 1;
  }

  stamp(tags: readonly string[]): Stamp {
    return tags.flatMap((tag) => {
      const slot = hash(tag) % SLOTS;
      return [slot, this.slots[slot] ?? 0];
    });
  }

  isCurrent(stamp: Stamp): boolean {
    for (let i = 0; i < stamp.length; i += 2) if (this.slots[stamp[i] ?? 0] !== stamp[i + 1]) return false;
    return true;
  }
}
