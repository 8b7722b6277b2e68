import type { Clock, Random } from '#runtime';
import type { Epochs } from '../records/epochs.ts';
import type { Resolution } from '../records/resolution.ts';
import { canonicalName, type Question } from '../wire/index.ts';
import { MessageReader } from '../wire/reader.ts';
import {
  failure,
  type PreparedAnswer,
  prepareAnswer,
  renderAnswer,
  renderRefusal,
  UDP_PAYLOAD,
} from './prepared-answer.ts';
import { HEADER_OCTETS, type Request, readRequest } from './request.ts';
import type { Resolver } from './resolver.ts';
import type { SyncGate } from './sync-gate.ts';

export type Transport = 'udp' | 'tcp';

export interface Client {
  readonly address: string;
  readonly transport: Transport;
}

export interface ResponderOptions {
  readonly recursionAvailable: boolean;
  /** How many prepared answers are kept. */
  readonly answers: number;
  /** How many questions may wait for an answer from elsewhere at one time. */
  readonly waiting: number;
}

/** Turns one packet into its reply: reads the question, finds or makes the answer, renders it for this client. */
export class Responder {
  readonly #resolver: Resolver;
  readonly #epochs: Epochs;
  readonly #gate: SyncGate;
  readonly #clock: Clock;
  readonly #options: ResponderOptions;
  readonly #answers = new Map<string, PreparedAnswer>();
  readonly #pending = new Map<string, Promise<PreparedAnswer>>();
  #turn: number;

  constructor(
    deps: {
      readonly resolver: Resolver;
      readonly epochs: Epochs;
      readonly gate: SyncGate;
      readonly clock: Clock;
      readonly random: Random;
    },
    options: ResponderOptions,
  ) {
    this.#resolver = deps.resolver;
    this.#epochs = deps.epochs;
    this.#gate = deps.gate;
    this.#clock = deps.clock;
    this.#options = options;
    this.#turn = Math.floor(deps.random.next() * 0x10000);
  }

  /** Undefined: no reply is sent. Never throws, never rejects. */
  respond(packet: Uint8Array, client: Client): Uint8Array | Promise<Uint8Array> | undefined {
    const request = readRequest(packet);
    if (request === 'drop') return undefined;
    if (!('key' in request)) return renderRefusal(packet, request.questionEnd, request.rcode);
    const kept = this.#answers.get(request.key);
    if (kept !== undefined && this.#isFresh(kept)) return this.#render(kept, request, client);
    const made = this.#make(request);
    if (!(made instanceof Promise)) return this.#render(made, request, client);
    // The packet's octets are the receiver's to use again once this call returns.
    const own = { ...request, packet: request.packet.slice() };
    return made.then((answer) => this.#render(answer, own, client));
  }

  #isFresh(answer: PreparedAnswer): boolean {
    return (
      this.#epochs.isCurrent(answer.stamp) &&
      (answer.lifetimeMs === Number.POSITIVE_INFINITY ||
        this.#clock.monotonic() - answer.preparedAt < answer.lifetimeMs)
    );
  }

  #make(request: Request): PreparedAnswer | Promise<PreparedAnswer> {
    const pending = this.#pending.get(request.key);
    if (pending !== undefined) return pending;
    const question = questionOf(request);
    const made = this.#resolve(question);
    if (!(made instanceof Promise)) return this.#keep(request.key, question, made);
    if (this.#pending.size >= this.#options.waiting)
      return prepareAnswer(question, failure(), this.#clock.monotonic());
    const answer = made.then((resolution) => {
      this.#pending.delete(request.key);
      return this.#keep(request.key, question, resolution);
    });
    this.#pending.set(request.key, answer);
    return answer;
  }

  #resolve(question: Question): Resolution | Promise<Resolution> {
    if (this.#gate.isOpen || !this.#resolver.isClusterName(question.name))
      return this.#resolver.resolve(question);
    return this.#gate.wait().then((open) => (open ? this.#resolver.resolve(question) : failure()));
  }

  #keep(key: string, question: Question, resolution: Resolution): PreparedAnswer {
    let answer: PreparedAnswer;
    try {
      answer = prepareAnswer(question, resolution, this.#clock.monotonic());
    } catch {
      answer = prepareAnswer(question, failure(), this.#clock.monotonic());
    }
    this.#answers.delete(key);
    if (answer.lifetimeMs > 0) {
      this.#answers.set(key, answer);
      // The oldest goes: what is asked for often is soon made again.
      if (this.#answers.size > this.#options.answers)
        for (const oldest of this.#answers.keys()) {
          this.#answers.delete(oldest);
          break;
        }
    }
    return answer;
  }

  #render(answer: PreparedAnswer, request: Request, client: Client): Uint8Array {
    this.#turn = (this.#turn + 1) & 0x3fffffff;
    return renderAnswer(answer, request, {
      limit: client.transport === 'tcp' ? 0xffff : Math.min(request.payloadSize, UDP_PAYLOAD),
      turn: this.#turn,
      now: this.#clock.monotonic(),
      recursionAvailable: this.#options.recursionAvailable,
    });
  }
}

function questionOf(request: Request): Question {
  const name = new MessageReader(request.packet, HEADER_OCTETS).name();
  return { name: canonicalName(name), typeCode: request.typeCode, class: request.class };
}
