import { type IpPrefix, prefixContains } from '#ip';
import type { ClusterZone } from '../records/cluster-zone.ts';
import { tryParseIp } from '../records/service-view.ts';
import { writeEdns, writeQuestion, writeRecord } from '../wire/encode.ts';
import { WireError } from '../wire/errors.ts';
import {
  CLASS_IN,
  type DnsName,
  META_TYPES,
  type Question,
  RCODES,
  type ResourceRecord,
} from '../wire/index.ts';
import { MessageWriter } from '../wire/writer.ts';
import { UDP_PAYLOAD } from './prepared-answer.ts';
import type { SyncGate } from './sync-gate.ts';

/** As far as compression reaches (RFC 1035 section 4.1.4): a message ends with the record that passes it. Octets. */
const MESSAGE_OCTETS = 0x4000;
/** At one time: each holds on to the objects it began with. */
const MOST_TRANSFERS = 10;
const ANSWER_COUNT_AT = 6;

interface TransferRequest {
  readonly id: number;
  readonly question: Question;
  readonly recursionDesired: boolean;
  readonly edns: boolean;
  readonly dnssecOk: boolean;
}

export function isTransferType(typeCode: number): boolean {
  return typeCode === META_TYPES.AXFR || typeCode === META_TYPES.IXFR;
}

/**
 * Gives the cluster's domain as a whole to those who may have it: AXFR (RFC 5936), and IXFR in AXFR's form, as RFC 1995
 * section 4 allows. All messages tell of one moment, that of the SOA.
 */
export class ZoneTransfers {
  readonly #zone: ClusterZone;
  readonly #gate: SyncGate;
  readonly #allowed: readonly IpPrefix[];
  #running = 0;

  constructor(zone: ClusterZone, gate: SyncGate, allowed: readonly IpPrefix[]) {
    this.#zone = zone;
    this.#gate = gate;
    this.#allowed = allowed;
  }

  /** NOERROR: {@link messages} may be sent to this client; else what to tell it. `name` is canonical. */
  verdict(name: DnsName, klass: number, client: string): number {
    const address = tryParseIp(client);
    if (address === undefined || !this.#allowed.some((prefix) => prefixContains(prefix, address)))
      return RCODES.REFUSED;
    if (!this.#gate.isOpen) return RCODES.SERVFAIL;
    if (klass !== CLASS_IN) return RCODES.NOTAUTH;
    // Reverse zones are the cluster's too, but are not given.
    if (!this.#zone.isDomain(name)) return this.#zone.zoneOf(name) === name ? RCODES.REFUSED : RCODES.NOTAUTH;
    return this.#running < MOST_TRANSFERS ? RCODES.NOERROR : RCODES.SERVFAIL;
  }

  *messages(request: TransferRequest): Generator<Uint8Array> {
    this.#running++;
    try {
      yield* transferMessages(request, this.#zone.transfer());
    } finally {
      this.#running--;
    }
  }
}

/** Splits records over messages, of which only the first repeats the question (RFC 5936 section 2.2.1). */
export function* transferMessages(
  request: TransferRequest,
  records: Iterable<ResourceRecord>,
): Generator<Uint8Array> {
  let message = new TransferMessage(request, true);
  for (const each of records) {
    if (message.isFull) {
      yield message.finish();
      message = new TransferMessage(request, false);
    }
    message.add(each);
  }
  yield message.finish();
}

class TransferMessage {
  readonly #writer = new MessageWriter(undefined, MESSAGE_OCTETS + 1024);
  readonly #request: TransferRequest;
  readonly #isFirst: boolean;
  #answers = 0;

  constructor(request: TransferRequest, isFirst: boolean) {
    this.#request = request;
    this.#isFirst = isFirst;
    this.#writer.uint16(request.id);
    // QR, AA, RD as asked.
    this.#writer.uint16(0x8400 | (request.recursionDesired ? 0x0100 : 0));
    for (const count of [isFirst ? 1 : 0, 0, 0, this.#hasOpt ? 1 : 0]) this.#writer.uint16(count);
    if (isFirst) writeQuestion(this.#writer, request.question);
  }

  get isFull(): boolean {
    return this.#writer.length >= MESSAGE_OCTETS;
  }

  add(record: ResourceRecord): void {
    const before = this.#writer.length;
    try {
      writeRecord(this.#writer, record);
      this.#answers++;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      // A name in an object that no message can hold: nobody can ask for it either.
      this.#writer.rewind(before);
    }
  }

  finish(): Uint8Array {
    const { dnssecOk } = this.#request;
    this.#writer.patchUint16(ANSWER_COUNT_AT, this.#answers);
    if (this.#hasOpt)
      writeEdns(
        this.#writer,
        { udpPayloadSize: UDP_PAYLOAD, version: 0, dnssecOk, options: [] },
        RCODES.NOERROR,
      );
    return this.#writer.finish();
  }

  /** RFC 5936 section 2.2.5: OPT comes in the first message, to those who sent one. */
  get #hasOpt(): boolean {
    return this.#isFirst && this.#request.edns;
  }
}
