import type { IncomingMessage } from 'node:http';
import { isObject } from '#kube-api';
import { type Clock, errorMessage } from '#runtime';
import { ApiError, ApiUnreachableError, type FailureStatus } from './errors.ts';
import { LineDecoder } from './line-decoder.ts';
import type { WatchEvent } from './ports.ts';

export interface WatchStreamOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A server that says nothing for so long is taken for gone. Milliseconds. */
  readonly idleTimeoutMs: number;
  readonly maxLineBytes: number;
}

/** The events of a watch response. Returns when the server ends it; throws ApiError, ApiUnreachableError or the signal's reason. */
export async function* watchStream<T>(
  response: IncomingMessage,
  { clock, signal, idleTimeoutMs, maxLineBytes }: WatchStreamOptions,
): AsyncGenerator<WatchEvent<T>, void> {
  const lines = new LineDecoder(maxLineBytes);
  using idle = new IdleTimer(clock, idleTimeoutMs, () =>
    response.destroy(new ApiUnreachableError(`watch: nothing heard for ${idleTimeoutMs} ms`)),
  );
  try {
    for await (const chunk of response) {
      idle.touch();
      for (const line of lines.push(chunk as Buffer)) yield parseWatchEvent<T>(line);
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof ApiError || error instanceof ApiUnreachableError) throw error;
    throw new ApiUnreachableError(`watch: ${errorMessage(error)}`, { cause: error });
  } finally {
    response.destroy();
  }
  signal.throwIfAborted();
  if (lines.pending) throw new ApiUnreachableError('watch: the connection ended in the middle of an event');
}

/** One line of a watch. Throws ApiError for an ERROR event, ApiUnreachableError for anything that is not an event. */
function parseWatchEvent<T>(line: string): WatchEvent<T> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new ApiUnreachableError(`watch: not JSON: ${line.slice(0, 80)}`, { cause });
  }
  const object = isObject(event) ? event['object'] : undefined;
  const type = isObject(event) ? event['type'] : undefined;
  if (!isObject(object)) throw new ApiUnreachableError(`watch: not an event: ${line.slice(0, 80)}`);
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: object as T };
    case 'BOOKMARK': {
      const metadata = object['metadata'];
      const version = isObject(metadata) ? metadata['resourceVersion'] : undefined;
      if (typeof version !== 'string')
        throw new ApiUnreachableError('watch: a bookmark without a resourceVersion');
      return { type, resourceVersion: version };
    }
    case 'ERROR': {
      const failure = object as FailureStatus;
      throw new ApiError(failure.code ?? 500, failure);
    }
    default:
      throw new ApiUnreachableError(`watch: unknown event type ${JSON.stringify(type)}`);
  }
}

/** Calls back once `ms` pass without a touch. A touch costs no timer. */
class IdleTimer implements Disposable {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #onIdle: () => void;
  #last: number;
  #timer: Disposable;

  constructor(clock: Clock, ms: number, onIdle: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#onIdle = onIdle;
    this.#last = clock.monotonic();
    this.#timer = this.#arm(ms);
  }

  touch(): void {
    this.#last = this.#clock.monotonic();
  }

  #arm(ms: number): Disposable {
    return this.#clock.setTimer(
      ms,
      () => {
        const left = this.#last + this.#ms - this.#clock.monotonic();
        if (left <= 0) this.#onIdle();
        else this.#timer = this.#arm(left);
      },
      { unref: true },
    );
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}
