import type { Resolution } from '../records/resolution.ts';
import {
  canonicalName,
  isInZone,
  type Message,
  type Question,
  RCODES,
  type ResourceRecord,
  typeName,
} from '../wire/index.ts';

/** How long a failure is remembered, so that a broken name is not asked for by every client's every retry (RFC 9520). */
const FAILURE_MS = 2000;
/** Longest that an answer, and that a denial, is believed, whatever its TTL (RFC 8767 section 4, RFC 2308 section 5). */
const MAX_TTL = 86_400;
const MAX_NEGATIVE_TTL = 3600;

/**
 * What of an upstream's reply is given to clients: the records that answer the question along its CNAMEs, and the
 * SOA of a denial. All else could be about names that nobody asked for (RFC 5452 section 6) and is dropped.
 */
export function replyResolution(question: Question, reply: Message | undefined): Resolution {
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
    !answers.some((each) => typeName(question.typeCode) === typeOf(each) || isAny(question));
  const soa = reply.authorities.find(
    (each) => each.type === 'SOA' && isInZone(last, canonicalName(each.name)),
  );
  const ttls = answers.map(({ ttl }) => Math.min(ttl, MAX_TTL));
  // RFC 2308 section 5: without a SOA a denial may not be kept.
  if (denied) ttls.push(soa?.type === 'SOA' ? Math.min(soa.ttl, soa.minimum, MAX_NEGATIVE_TTL) : 0);
  const ttl = Math.min(...ttls);
  return {
    rcode: reply.rcode,
    authoritative: false,
    answers: answers.map((each) => ({ ...each, ttl: Math.min(each.ttl, MAX_TTL) })),
    authorities: denied && soa !== undefined ? [{ ...soa, ttl }] : [],
    additionals: [],
    stamp: [],
    lifetimeMs: ttl * 1000,
  };
}

function typeOf(each: ResourceRecord): string {
  return each.type === 'unknown' ? typeName(each.typeCode) : each.type;
}

function isAny(question: Question): boolean {
  return typeName(question.typeCode) === 'ANY';
}

function followChain(
  question: Question,
  records: readonly ResourceRecord[],
): { readonly answers: readonly ResourceRecord[]; readonly last: string } {
  const answers: ResourceRecord[] = [];
  const seen = new Set<string>();
  let name = canonicalName(question.name);
  while (!seen.has(name)) {
    seen.add(name);
    const own = records.filter((each) => each.class === question.class && canonicalName(each.name) === name);
    const cname = own.find((each) => each.type === 'CNAME');
    if (cname?.type === 'CNAME' && typeName(question.typeCode) !== 'CNAME' && !isAny(question)) {
      answers.push({ ...cname, name });
      name = canonicalName(cname.target);
      continue;
    }
    for (const each of own)
      if (isAny(question) || typeOf(each) === typeName(question.typeCode)) answers.push({ ...each, name });
    break;
  }
  return { answers, last: name };
}
