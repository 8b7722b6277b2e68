import { CLASS_IN, type DnsName, type RecordData, type ResourceRecord } from '../wire/index.ts';
import type { Stamp } from './epochs.ts';

/** What is known about one question, before it becomes a message. */
export interface Resolution {
  readonly rcode: number;
  readonly authoritative: boolean;
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
