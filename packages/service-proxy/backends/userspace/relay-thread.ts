import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { NetworkNamespace } from '#kernel';
import { type Clock, errorMessage, type Logger } from '#runtime';
import type { DescriptorSet } from './descriptor-set.ts';
import { END, type RelayChannel, type RelayMessage, type RelayPost } from './relay-messages.ts';

/** A thread that has died is followed by another, but no more often, milliseconds. */
const RESTART_MS = 1_000;
/** What the thread takes in at once: relaying waits meanwhile. */
const MESSAGES_A_POST = 128;

export interface RelayThreadDeps {
  readonly netns: NetworkNamespace;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly descriptors: DescriptorSet;
  /** Sockets that stay open when a thread ends. */
  readonly listening: () => ReadonlySet<number>;
  /** Everything that a thread that begins has to be told. */
  readonly table: () => readonly RelayMessage[];
}

/**
 * A relay on a thread of its own: what keeps this one busy does not hold up a packet. It begins with the first message; should it die, its
 * connections are reset and another one goes on with the same listening sockets.
 */
export class RelayThread implements RelayChannel {
  readonly #deps: RelayThreadDeps;
  #worker: Worker | undefined;
  #begun = -Infinity;
  #restart: Disposable | undefined;
  #disposed = false;
  #receipts = 0;
  readonly #awaited = new Map<number, () => void>();

  constructor(deps: RelayThreadDeps) {
    this.#deps = deps;
  }

  send(messages: readonly RelayMessage[]): Promise<void> {
    if (messages.length === 0 || this.#disposed) return Promise.resolve();
    // The next thread is told everything; the last one has left to us what it was to close.
    if (this.#restart !== undefined) {
      this.#endWhatIsLeft();
      return Promise.resolve();
    }
    this.#worker ??= this.#begin();
    const receipt = ++this.#receipts;
    const done = new Promise<void>((resolve) => this.#awaited.set(receipt, resolve));
    post(this.#worker, messages, receipt);
    return done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#restart?.[Symbol.dispose]();
    if (this.#worker === undefined) return;
    // Not terminate(), which a native callback (the poller's) might come into.
    const ended = once(this.#worker, 'exit');
    this.#worker.postMessage(END);
    await ended;
  }

  #begin(): Worker {
    const { netns, clock, descriptors } = this.#deps;
    this.#begun = clock.monotonic();
    // A thread begins in the namespace of the one that makes it.
    const worker = netns.run(
      () =>
        new Worker(new URL('./relay-program.ts', import.meta.url), {
          workerData: descriptors.memory,
          execArgv: ['--disable-warning=ExperimentalWarning'],
        }),
    );
    let failure: unknown;
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('message', (receipt: number) => {
      this.#awaited.get(receipt)?.();
      this.#awaited.delete(receipt);
    });
    worker.on('exit', () => this.#ended(failure));
    return worker;
  }

  #ended(failure: unknown): void {
    this.#worker = undefined;
    const { clock, logger } = this.#deps;
    if (!this.#disposed) {
      logger.warn('the relay has died, and its connections with it: another one begins', {
        error: errorMessage(failure ?? 'no reason given'),
      });
      const ms = Math.max(0, this.#begun + RESTART_MS - clock.monotonic());
      this.#restart = clock.setTimer(ms, () => this.#beginAgain());
      this.#endWhatIsLeft();
    }
    for (const done of this.#awaited.values()) done();
    this.#awaited.clear();
  }

  #beginAgain(): void {
    this.#restart = undefined;
    void this.send(this.#deps.table());
  }

  #endWhatIsLeft(): void {
    const { descriptors, listening } = this.#deps;
    descriptors.resetAll(listening());
  }
}

function post(worker: Worker, messages: readonly RelayMessage[], receipt: number): void {
  for (let at = 0; at < messages.length; at += MESSAGES_A_POST) {
    const part = messages.slice(at, at + MESSAGES_A_POST);
    const isLast = at + MESSAGES_A_POST >= messages.length;
    worker.postMessage({ messages: part, receipt: isLast ? receipt : undefined } satisfies RelayPost);
  }
}
