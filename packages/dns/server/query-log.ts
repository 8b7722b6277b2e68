import { parseIp } from '#ip';
import type { Logger, Random } from '#runtime';
import type { ClusterIndex } from '../records/cluster-index.ts';
import { rcodeName, typeName } from '../wire/index.ts';
import { MessageReader } from '../wire/reader.ts';
import { HEADER_OCTETS, type RequestReader } from './request-reader.ts';

/** Writes a sample of the queries, with the name of the Pod that asks. */
export class QueryLog {
  readonly #sampleRate: number;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #index: ClusterIndex;

  /** `sampleRate`: the part of the queries that is logged, 0 to 1. */
  constructor(
    sampleRate: number,
    deps: { readonly logger: Logger; readonly random: Random; readonly index: ClusterIndex },
  ) {
    this.#sampleRate = sampleRate;
    this.#logger = deps.logger;
    this.#random = deps.random;
    this.#index = deps.index;
  }

  note(
    packet: Uint8Array,
    request: RequestReader,
    client: { readonly address: string },
    transport: string,
    rcode: number,
    seconds: number,
  ): void {
    if (this.#random.next() >= this.#sampleRate) return;
    const { address } = client;
    const pod = this.#index.podOfAddress(parseIp(address));
    this.#logger.info('dns: query', {
      name: new MessageReader(packet, HEADER_OCTETS).name(),
      type: typeName(request.typeCode),
      rcode: rcodeName(rcode),
      client: pod === undefined ? address : `${pod.namespace}/${pod.name}`,
      transport,
      ms: Math.round(seconds * 1000),
    });
  }
}
