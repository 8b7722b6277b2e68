import {
  CLASS_IN,
  type DnsName,
  type Question,
  type RecordData,
  type ResourceRecord,
} from '../wire/index.ts';
import type { Stamp } from './epochs.ts';

/** A question, and what its asker wants with signatures (RFC 4035 section 3.2): their records (DO), no validation (CD). */
export interface Inquiry extends Question {
  readonly dnssecOk?: boolean;
  readonly checkingDisabled?: boolean;
}

/** Inquiries that differ in this get different answers to one question. */
export function variantOf({
  dnssecOk,
  checkingDisabled,
}: Pick<Inquiry, 'dnssecOk' | 'checkingDisabled'>): number {
  return (dnssecOk === true ? 1 : 0) | (checkingDisabled === true ? 2 : 0);
}

/** What is known about one question, before it becomes a message. */
export interface Resolution {
  readonly rcode: number;
  readonly authoritative: boolean;
  /** An upstream says that it has validated all of it. */
  readonly authenticData?: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** What it was made from, of the cluster. */
  readonly stamp: Stamp;
  /** For how long it may be given out again, milliseconds; undefined: until the stamp is old. */
  readonly lifetimeMs?: number;
}

export function record(name: DnsName, ttl: number, data: RecordData): ResourceRecord {
  return { name, class: CLASS_IN, ttl, ...data };
}
