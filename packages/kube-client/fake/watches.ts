import type { WatchEvent } from '../ports.ts';

interface Running {
  readonly end: (error: Error | undefined) => void;
  readonly bookmark: (version: string) => void;
}

/** The watches that are under way. */
export class FakeWatches {
  readonly #running = new Set<Running>();

  /** Ends all; with an error, they fail with it. */
  endAll(error: Error | undefined): void {
    for (const watch of [...this.#running]) watch.end(error);
  }

  bookmarkAll(version: string): void {
    for (const watch of [...this.#running]) watch.bookmark(version);
  }

  /** Yields what comes, until it is ended or `signal` aborts. @param subscribe asks for events, until disposed */
  async *run<T>(
    subscribe: (push: (event: WatchEvent<T>) => void) => Disposable,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, void> {
    signal.throwIfAborted();
    const queue: WatchEvent<T>[] = [];
    let wake = () => {};
    let ended: { readonly error: Error | undefined } | undefined;
    const push = (event: WatchEvent<T>) => {
      queue.push(event);
      wake();
    };
    const end = (error: Error | undefined) => {
      ended ??= { error };
      wake();
    };
    const onAbort = () => end(signal.reason);
    using _subscription = subscribe(push);
    const running = {
      end,
      bookmark: (resourceVersion: string) => push({ type: 'BOOKMARK', resourceVersion }),
    };
    this.#running.add(running);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (ended === undefined) {
        for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield event;
        if (ended === undefined && queue.length === 0)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
      if (ended.error !== undefined) throw ended.error;
    } finally {
      this.#running.delete(running);
      signal.removeEventListener('abort', onAbort);
    }
  }
}
