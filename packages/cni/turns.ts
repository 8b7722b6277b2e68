/** Work on one thing at a time, in the order it came; work on different things does not wait for each other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Begins at once when nothing on `key` is under way. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = before === undefined ? work() : before.then(work, work);
    this.#last.set(key, mine);
    const leave = () => {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    };
    mine.then(leave, leave);
    return mine;
  }
}
