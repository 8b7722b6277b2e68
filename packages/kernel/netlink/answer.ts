import { errnoName } from '#runtime';
import { KernelError } from '../errors.ts';
import { type Acknowledgement, NLMSG_DONE, NLMSG_ERROR, parseDone, parseError } from './acknowledgement.ts';
import { NLM_F_DUMP_INTR } from './header-flags.ts';
import type { NetlinkMessage } from './reader.ts';

/** What was asked, for the error: a verb and a noun, and which. */
export interface NetlinkOperation {
  readonly operation: string;
  readonly object: string;
}

/** What is wanted of a data message; undefined: nothing. The message is a view that does not last. */
export type Decode<T> = (message: NetlinkMessage) => T | undefined;

/** The answer to one request, as its parts come. */
export class Answer<T> {
  readonly values: T[] = [];
  /** The table changed while it was read: the values may be of two moments, or lack some. */
  isInterrupted = false;
  isComplete = false;
  readonly #request: NetlinkOperation;
  readonly #sequence: number;
  readonly #decode: Decode<T>;

  constructor(request: NetlinkOperation, sequence: number, decode: Decode<T>) {
    this.#request = request;
    this.#sequence = sequence;
    this.#decode = decode;
  }

  /** @throws KernelError when the kernel refused; NetlinkFormatError */
  take(messages: readonly NetlinkMessage[]): void {
    for (const message of messages) {
      // An answer to a request that failed half way is not ours.
      if (message.sequence !== this.#sequence) continue;
      if ((message.flags & NLM_F_DUMP_INTR) !== 0) this.isInterrupted = true;
      if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
        const parse = message.type === NLMSG_ERROR ? parseError : parseDone;
        const error = refusal(parse(message.payload, message.flags), this.#request);
        if (error !== undefined) throw error;
        this.isComplete = true;
        return;
      }
      const value = this.#decode(message);
      if (value !== undefined) this.values.push(value);
    }
  }
}

export interface NetlinkRefusal<R extends NetlinkOperation> {
  readonly request: R;
  readonly error: KernelError;
}

/** The answers to requests that were sent together, of which the last one alone asked for an acknowledgement. */
export class BatchAnswer<R extends NetlinkOperation> {
  /** What the kernel refused, in order. */
  readonly refusals: NetlinkRefusal<R>[] = [];
  isComplete = false;
  readonly #requests: ReadonlyMap<number, R>;
  readonly #last: number | undefined;

  /** @param requests by their sequence numbers, in order */
  constructor(requests: ReadonlyMap<number, R>) {
    this.#requests = requests;
    this.#last = [...requests.keys()].at(-1);
  }

  /** @throws NetlinkFormatError */
  take(messages: readonly NetlinkMessage[]): void {
    for (const { type, flags, payload, sequence } of messages) {
      const request = this.#requests.get(sequence);
      if (type !== NLMSG_ERROR || request === undefined) continue;
      const error = refusal(parseError(payload, flags), request);
      if (error !== undefined) this.refusals.push({ request, error });
      if (sequence === this.#last) this.isComplete = true;
    }
  }
}

/** undefined when the kernel did what was asked. */
export function refusal(
  { errno, detail }: Acknowledgement,
  { operation, object }: NetlinkOperation,
): KernelError | undefined {
  return errno === 0 ? undefined : new KernelError({ errno: errnoName(errno), operation, object, detail });
}
