import type { Clock, Random } from '#runtime';
import type { Epochs } from '../records/epochs.ts';
import type { Inquiry, Resolution } from '../records/resolution.ts';
import { canonicalName, type DnsName, RCODES } from '../wire/index.ts';
import { MessageReader } from '../wire/reader.ts';
import { AnswerTable } from './answer-table.ts';
import { ClientLimiter, type ClientLimits } from './client-limiter.ts';
import { ServerCounters } from './metrics.ts';
import { PendingAnswers } from './pending-answers.ts';
import {
  failure,
  isDenial,
  isTruncated,
  type PreparedAnswer,
  prepareAnswer,
  renderAnswer,
  renderRefusal,
  UDP_PAYLOAD,
} from './prepared-answer.ts';
import type { QueryLog } from './query-log.ts';
import { HEADER_OCTETS, RequestReader } from './request-reader.ts';
import type { Resolver } from './resolver.ts';
import type { SyncGate } from './sync-gate.ts';
import { isTransferType, type ZoneTransfers } from './zone-transfers.ts';

export type Transport = 'udp' | 'tcp';

export interface Client {
  /** Equal for equal addresses. */
  readonly key: number | string;
  readonly address: string;
}

export interface ResponderOptions {
  /** How many prepared answers are kept. */
  readonly answers: number;
  /** How many questions may wait for an answer from elsewhere at one time. */
  readonly waiting: number;
  readonly clientLimits: ClientLimits;
}

export interface ResponderDeps {
  readonly resolver: Resolver;
  readonly epochs: Epochs;
  readonly gate: SyncGate;
  readonly clock: Clock;
  readonly random: Random;
  readonly queryLog?: QueryLog;
  /** Absent: nobody may have a zone as a whole. */
  readonly transfers?: ZoneTransfers;
}

/** A reply of many messages, each made when it is taken. */
export type MessageStream = Iterable<Uint8Array>;

/** Longest reply: over TCP. */
export const REPLY_OCTETS = 0xffff;

/** Turns one packet into its reply: reads the question, finds or makes the answer, renders it for this client. */
export class Responder {
  readonly counters = new ServerCounters();
  readonly #deps: ResponderDeps;
  readonly #limiter: ClientLimiter;
  readonly #request = new RequestReader();
  readonly #answers: AnswerTable;
  readonly #pending: PendingAnswers;
  #turn: number;

  constructor(deps: ResponderDeps, options: ResponderOptions) {
    this.#deps = deps;
    this.#limiter = new ClientLimiter(options.clientLimits);
    this.#answers = new AnswerTable(options.answers);
    this.#pending = new PendingAnswers(options.waiting);
    this.#turn = Math.floor(deps.random.next() * 0x10000);
  }

  get keptAnswers(): number {
    return this.#answers.size;
  }

  /**
   * Writes the reply to `out`, which has {@link REPLY_OCTETS} for TCP and what UDP_PAYLOAD allows for UDP, and returns
   * its length: 0 when none is sent. A promise of the reply when the answer must come from elsewhere. Never throws,
   * never rejects; `packet` is not read after the call. Over TCP also a stream of messages. `now`: monotonic milliseconds.
   */
  respond(
    packet: Uint8Array,
    length: number,
    client: Client,
    transport: 'udp',
    out: Buffer,
    now: number,
  ): number | Promise<Uint8Array>;
  respond(
    packet: Uint8Array,
    length: number,
    client: Client,
    transport: 'tcp',
    out: Buffer,
    now: number,
  ): number | Promise<Uint8Array> | MessageStream;
  respond(
    packet: Uint8Array,
    length: number,
    client: Client,
    transport: Transport,
    out: Buffer,
    now: number,
  ): number | Promise<Uint8Array> | MessageStream {
    if (!this.#limiter.admits(client.key, now)) {
      this.counters.limited++;
      return 0;
    }
    const request = this.#request;
    const verdict = request.read(packet, length);
    if (verdict === 'drop') return 0;
    if (verdict === 'refuse')
      return this.#count(renderRefusal(packet, request, out), transport, request.rcode, 0);
    this.counters.request(transport, typeof client.key === 'number' ? 1 : 2, request.typeCode, length);
    if (request.dnssecOk) this.counters.dnssecOk++;
    const kept = this.#answers.get(packet, request);
    if (kept !== undefined && this.#isFresh(kept, now)) {
      if (kept.ages) this.counters.outsideAgain[isDenial(kept) ? 'denial' : 'success']++;
      return this.#render(kept, packet, request, client, transport, now, out, 0);
    }
    if (this.#deps.transfers !== undefined && transport === 'tcp' && isTransferType(request.typeCode))
      return this.#transfer(this.#deps.transfers, packet, request, client, now, out);
    return this.#makeAndRender(packet, request, client, transport, now, out);
  }

  #transfer(
    transfers: ZoneTransfers,
    packet: Uint8Array,
    request: RequestReader,
    client: Client,
    now: number,
    out: Buffer,
  ): number | MessageStream {
    const question: Inquiry = {
      name: new MessageReader(packet, HEADER_OCTETS).name(),
      typeCode: request.typeCode,
      class: request.class,
    };
    const name = canonicalName(question.name);
    const rcode = transfers.verdict(name, question.class, client.address);
    if (rcode !== RCODES.NOERROR) {
      const refusal = prepareAnswer({ ...question, name }, failure(rcode), now);
      return this.#render(refusal, packet, request, client, 'tcp', now, out, 0);
    }
    this.#deps.queryLog?.note(packet, request, client, 'tcp', rcode, 0);
    const { recursionDesired, edns, dnssecOk } = request;
    const id = new MessageReader(packet).uint16();
    return this.#counted(transfers.messages({ id, question, recursionDesired, edns, dnssecOk }), now);
  }

  /** Counts a stream as one reply, when it ends. */
  *#counted(messages: MessageStream, since: number): Generator<Uint8Array> {
    let octets = 0;
    try {
      for (const message of messages) {
        octets += message.length;
        yield message;
      }
    } finally {
      this.#count(octets, 'tcp', RCODES.NOERROR, (this.#deps.clock.monotonic() - since) / 1000);
    }
  }

  #makeAndRender(
    packet: Uint8Array,
    request: RequestReader,
    client: Client,
    transport: Transport,
    now: number,
    out: Buffer,
  ): number | Promise<Uint8Array> {
    // The octets and the reader serve the next packet as soon as this call returns.
    const question = Buffer.from(packet.subarray(0, request.questionEnd));
    const { address, key } = client;
    const made = this.#make(question, request, address, now);
    if (!(made instanceof Promise))
      return this.#render(made, packet, request, client, transport, now, out, 0);
    const own = Object.assign(new RequestReader(), request);
    return made.then((answer) => {
      const later = Buffer.allocUnsafe(transport === 'tcp' ? REPLY_OCTETS : UDP_PAYLOAD);
      const at = this.#deps.clock.monotonic();
      const octets = this.#render(
        answer,
        question,
        own,
        { address, key },
        transport,
        at,
        later,
        (at - now) / 1000,
      );
      return later.subarray(0, octets);
    });
  }

  #isFresh(answer: PreparedAnswer, now: number): boolean {
    if (answer.ages && now - answer.preparedAt >= answer.lifetimeMs) return false;
    const { epochs } = this.#deps;
    if (answer.currentAt === epochs.ended) return true;
    if (!epochs.isCurrent(answer.stamp)) return false;
    answer.currentAt = epochs.ended;
    return true;
  }

  #make(
    packet: Buffer,
    request: RequestReader,
    client: string,
    now: number,
  ): PreparedAnswer | Promise<PreparedAnswer> {
    const { hash, typeCode, dnssecOk, checkingDisabled } = request;
    const name = canonicalName(new MessageReader(packet, HEADER_OCTETS).name());
    const question: Inquiry = { name, typeCode, class: request.class, dnssecOk, checkingDisabled };
    const audience = this.#deps.resolver.audience(client);
    const pendingKey = `${name} ${typeCode} ${question.class} ${request.variant} ${audience}`;
    const pending = this.#pending.get(pendingKey);
    if (pending !== undefined) return pending;
    if (!this.#pending.mayWait(client) && !(audience === '' && this.#isAtHand(name))) {
      this.counters.rejected++;
      return prepareAnswer(question, failure(), now);
    }
    const made = this.#resolve(question, client);
    if (!(made instanceof Promise)) return this.#keep(hash, question, made, now);
    const answer = made
      .catch(() => failure())
      .then((resolution) => this.#keep(hash, question, resolution, this.#deps.clock.monotonic()));
    return this.#pending.add(pendingKey, client, answer);
  }

  /** Whether the answer needs nobody else. */
  #isAtHand(name: DnsName): boolean {
    return this.#deps.gate.isOpen && this.#deps.resolver.isClusterName(name);
  }

  #resolve(question: Inquiry, client: string): Resolution | Promise<Resolution> {
    const { gate, resolver } = this.#deps;
    if (gate.isOpen || !resolver.isClusterName(question.name)) return resolver.resolve(question, client);
    return gate.wait().then((open) => (open ? resolver.resolve(question, client) : failure()));
  }

  #keep(hash: number, question: Inquiry, resolution: Resolution, now: number): PreparedAnswer {
    let answer: PreparedAnswer;
    try {
      answer = prepareAnswer(question, resolution, now);
    } catch {
      // A name in an object that no message can hold.
      answer = prepareAnswer(question, failure(), now);
    }
    if (answer.lifetimeMs > 0) this.#answers.set(hash, answer);
    else this.#answers.delete(hash);
    return answer;
  }

  #render(
    answer: PreparedAnswer,
    packet: Uint8Array,
    request: RequestReader,
    client: Client,
    transport: Transport,
    now: number,
    out: Buffer,
    seconds: number,
  ): number {
    this.#turn = (this.#turn + 1) & 0x3fffffff;
    const limit = transport === 'tcp' ? REPLY_OCTETS : Math.min(request.payloadSize, UDP_PAYLOAD);
    const octets = renderAnswer(answer, packet, request, { limit, turn: this.#turn, now }, out);
    if (isTruncated(out)) this.counters.truncated++;
    this.#deps.queryLog?.note(packet, request, client, transport, answer.rcode, seconds);
    return this.#count(octets, transport, answer.rcode, seconds);
  }

  #count(octets: number, transport: Transport, rcode: number, seconds: number): number {
    this.counters.response(transport, rcode, octets, seconds);
    return octets;
  }
}
