import { type Clock, errorMessage, type Logger, type Random } from '#runtime';
import type { Inquiry, Resolution } from '../records/resolution.ts';
import type { OutsideResolver } from '../server/resolver.ts';
import { type Message, RCODES } from '../wire/index.ts';
import type { UpstreamAddress } from './address.ts';
import { replyResolution } from './reply-resolution.ts';
import { Upstream, type UpstreamOptions } from './upstream.ts';

/** Which of several upstreams is asked first: any, each in turn, or the first that works. */
export const FORWARD_POLICIES = ['random', 'round-robin', 'sequential'] as const;
export type ForwardPolicy = (typeof FORWARD_POLICIES)[number];

export interface ForwarderOptions extends UpstreamOptions {
  readonly upstreams: readonly UpstreamAddress[];
  readonly policy: ForwardPolicy;
}

/** Tries for one question, over all upstreams; a lone upstream is asked again, too. */
const MAX_TRIES = 3;
/** No further try begins after this: the stub's own patience is 5 s. */
const LAST_TRY_MS = 2500;

/** Asks upstreams: those that work before those that failed lately, until one gives an answer. */
export class Forwarder implements OutsideResolver, Disposable {
  readonly upstreams: readonly Upstream[];
  readonly #policy: ForwardPolicy;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  #next = 0;

  constructor(
    deps: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
    options: ForwarderOptions,
  ) {
    this.upstreams = options.upstreams.map((address) => new Upstream(address, deps, options));
    this.#policy = options.policy;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#logger = deps.logger;
  }

  [Symbol.dispose](): void {
    for (const upstream of this.upstreams) upstream[Symbol.dispose]();
  }

  /** Never rejects: when no upstream answers, SERVFAIL, kept a moment (RFC 9520). */
  async resolve(question: Inquiry): Promise<Resolution> {
    const start = this.#clock.monotonic();
    const order = this.#order();
    let last: Message | undefined;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const upstream = order[tries % order.length];
      if (upstream === undefined || (tries > 0 && this.#clock.monotonic() - start > LAST_TRY_MS)) break;
      try {
        const reply = await upstream.ask(question);
        if (reply.rcode !== RCODES.SERVFAIL && reply.rcode !== RCODES.REFUSED)
          return replyResolution(question, reply);
        last = reply;
        if (tries + 1 >= order.length) break;
      } catch (error) {
        this.#logger.debug('dns: upstream failed', { error: errorMessage(error), name: question.name });
      }
    }
    return replyResolution(question, last);
  }

  #order(): readonly Upstream[] {
    const all = this.upstreams.filter(({ isLoop }) => !isLoop);
    const first = this.#first(all.length);
    const turned = [...all.slice(first), ...all.slice(0, first)];
    return [...turned.filter(({ isDown }) => !isDown), ...turned.filter(({ isDown }) => isDown)];
  }

  #first(count: number): number {
    switch (this.#policy) {
      case 'sequential':
        return 0;
      case 'random':
        return Math.floor(this.#random.next() * count);
      case 'round-robin':
        this.#next = (this.#next + 1) % count;
        return this.#next;
    }
  }
}
