import type { Inquiry, Resolution } from '../records/resolution.ts';
import {
  canonicalName,
  type DnsName,
  isInZone,
  META_TYPES,
  type Message,
  RCODES,
  RECORD_TYPES,
  type ResourceRecord,
} from '../wire/index.ts';
import { typeCodeOf } from '../wire/record-data.ts';

/** How long a failure is remembered, so that a broken name is not asked for by every client's every retry (RFC 9520). */
const FAILURE_MS = 2000;
/** Longest that an answer, and that a denial, is believed, whatever its TTL (RFC 8767 section 4, RFC 2308 section 5). */
const MAX_TTL = 86_400;
const MAX_NEGATIVE_TTL = 3600;

const DNAME = 39;
const RRSIG = 46;
const NSEC = 47;
const NSEC3 = 50;

/**
 * What of an upstream's reply is given to clients: the records that answer the question along its CNAMEs, and the
 * SOA of a denial. All else could be about names that nobody asked for (RFC 5452 section 6) and is dropped. Who asks
 * with DO gets what proves it, too: the signatures of these records, and the records that prove what is not (RFC 4035
 * section 3.1). Nobody but that client reads those.
 */
export function replyResolution(question: Inquiry, reply: Message | undefined): Resolution {
  const usable = reply !== undefined && (reply.rcode === RCODES.NOERROR || reply.rcode === RCODES.NXDOMAIN);
  if (!usable)
    return {
      rcode: RCODES.SERVFAIL,
      authoritative: false,
      answers: [],
      authorities: [],
      additionals: [],
      stamp: [],
      lifetimeMs: FAILURE_MS,
    };
  const { answers, last } = followChain(question, reply.answers);
  const denied =
    reply.rcode === RCODES.NXDOMAIN ||
    !answers.some((each) => isAny(question) || typeCodeOf(each) === question.typeCode);
  const soa = reply.authorities.find(
    (each) => each.type === 'SOA' && isInZone(last, canonicalName(each.name)),
  );
  const proofs = question.dnssecOk === true ? reply.authorities.filter(provesAbsence) : [];
  const ttls = [...answers, ...proofs].map(({ ttl }) => Math.min(ttl, MAX_TTL));
  // RFC 2308 section 5: without a SOA a denial may not be kept.
  if (denied) ttls.push(soa?.type === 'SOA' ? Math.min(soa.ttl, soa.minimum, MAX_NEGATIVE_TTL) : 0);
  const ttl = Math.min(...ttls);
  return {
    rcode: reply.rcode,
    authoritative: false,
    authenticData: reply.authenticData,
    answers: answers.map((each) => ({ ...each, ttl: Math.min(each.ttl, MAX_TTL) })),
    authorities: [...(denied && soa !== undefined ? [soa] : []), ...proofs].map((each) => ({
      ...each,
      name: canonicalName(each.name),
      ttl: Math.min(each.ttl, ttl),
    })),
    additionals: [],
    stamp: [],
    lifetimeMs: ttl * 1000,
  };
}

function isAny(question: Inquiry): boolean {
  return question.typeCode === META_TYPES.ANY;
}

/** NSEC and NSEC3, and the signatures of these and of the SOA. */
function provesAbsence(each: ResourceRecord): boolean {
  const covered = typeCovered(each);
  if (covered === RECORD_TYPES.SOA) return true;
  const typeCode = covered ?? typeCodeOf(each);
  return typeCode === NSEC || typeCode === NSEC3;
}

/** The type whose records an RRSIG signs (RFC 4034 section 3.1.1); undefined for other records. */
function typeCovered(each: ResourceRecord): number | undefined {
  if (each.type !== 'unknown' || each.typeCode !== RRSIG || each.data.length < 2) return undefined;
  return ((each.data[0] ?? 0) << 8) | (each.data[1] ?? 0);
}

function followChain(
  question: Inquiry,
  records: readonly ResourceRecord[],
): { readonly answers: readonly ResourceRecord[]; readonly last: DnsName } {
  const ofClass = records
    .filter((each) => each.class === question.class)
    .map((each) => ({ ...each, name: canonicalName(each.name) }));
  const signs = (each: ResourceRecord, typeCode: number) =>
    question.dnssecOk === true && typeCovered(each) === typeCode;
  const answers: ResourceRecord[] = [];
  const seen = new Set<DnsName>();
  let name = canonicalName(question.name);
  while (!seen.has(name)) {
    seen.add(name);
    const own = ofClass.filter((each) => each.name === name);
    const cname = own.find((each) => each.type === 'CNAME');
    if (cname?.type === 'CNAME' && question.typeCode !== RECORD_TYPES.CNAME && !isAny(question)) {
      if (question.dnssecOk === true) answers.push(...dnames(name, ofClass));
      answers.push(cname, ...own.filter((each) => signs(each, RECORD_TYPES.CNAME)));
      name = canonicalName(cname.target);
      continue;
    }
    const { typeCode } = question;
    for (const each of own)
      if (isAny(question) || typeCodeOf(each) === typeCode || signs(each, typeCode)) answers.push(each);
    break;
  }
  return { answers, last: name };
}

/** What a CNAME without a signature of its own was made from (RFC 6672 section 5.3.1), and its signature. */
function dnames(name: DnsName, records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  return records.filter(
    (each) =>
      (typeCovered(each) ?? typeCodeOf(each)) === DNAME && each.name !== name && isInZone(name, each.name),
  );
}
