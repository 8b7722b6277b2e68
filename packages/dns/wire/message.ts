import type { IpAddress } from '#ip';
import type { DnsName } from './name.ts';

/** Record data by type. Names in it keep their case. */
export type RecordData =
  | { readonly type: 'A'; readonly address: IpAddress }
  | { readonly type: 'AAAA'; readonly address: IpAddress }
  | { readonly type: 'NS'; readonly target: DnsName }
  | { readonly type: 'CNAME'; readonly target: DnsName }
  | { readonly type: 'PTR'; readonly target: DnsName }
  | { readonly type: 'MX'; readonly preference: number; readonly target: DnsName }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: DnsName;
    }
  | {
      readonly type: 'SOA';
      readonly primary: DnsName;
      readonly mailbox: DnsName;
      readonly serial: number;
      readonly refresh: number;
      readonly retry: number;
      readonly expire: number;
      /** The TTL of negative answers, RFC 2308 section 4. Seconds. */
      readonly minimum: number;
    }
  | { readonly type: 'TXT'; readonly strings: readonly Uint8Array[] }
  | { readonly type: 'HINFO'; readonly cpu: string; readonly os: string }
  /** RFC 3597: a type without a shape here; names in the data of RFC 1035's own types are written out whole. */
  | { readonly type: 'unknown'; readonly typeCode: number; readonly data: Uint8Array };

export interface RecordHead {
  readonly name: DnsName;
  readonly class: number;
  /** Seconds, 0 to 2^31-1 (RFC 2181 section 8). */
  readonly ttl: number;
}

export type ResourceRecord = RecordHead & RecordData;

export interface Question {
  readonly name: DnsName;
  readonly typeCode: number;
  readonly class: number;
}

export interface EdnsOption {
  readonly optionCode: number;
  readonly data: Uint8Array;
}

/** The OPT pseudo record, RFC 6891. Its extended RCODE bits are part of {@link Message.rcode}. */
export interface Edns {
  readonly udpPayloadSize: number;
  readonly version: number;
  /** DNSSEC OK, RFC 3225. */
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

export interface MessageFlags {
  readonly response: boolean;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
}

/** A whole DNS message, RFC 1035 section 4. The OPT record is `edns`, never among the additional records. */
export interface Message extends MessageFlags {
  readonly id: number;
  readonly opcode: number;
  /** Twelve bits with EDNS, four without. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
}

/** A query for one question, as a resolver sends it. */
export function queryMessage(
  id: number,
  question: Question,
  options: { readonly recursionDesired?: boolean; readonly edns?: Edns } = {},
): Message {
  return {
    id,
    opcode: 0,
    rcode: 0,
    response: false,
    authoritative: false,
    truncated: false,
    recursionDesired: options.recursionDesired ?? true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    questions: [question],
    answers: [],
    authorities: [],
    additionals: [],
    edns: options.edns,
  };
}
