import type { OutputStream } from '../runtime/stdio.ts';

type Listener = (stream: OutputStream, chunk: Buffer) => void;

/** Those who want a container's output as it comes, beside its log. */
export class OutputListeners {
  readonly #listeners = new Set<Listener>();

  /** Until disposed. */
  add(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  tell(stream: OutputStream, chunk: Buffer): void {
    for (const listener of this.#listeners) listener(stream, chunk);
  }
}
