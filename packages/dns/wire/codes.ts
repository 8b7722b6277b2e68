/** RR types that have a shape of their own here; all others travel as octets (RFC 3597). IANA "DNS Parameters". */
export const RECORD_TYPES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
} as const;

/** Types that appear only in questions or as pseudo records. */
export const META_TYPES = { OPT: 41, TSIG: 250, IXFR: 251, AXFR: 252, ANY: 255 } as const;

export const CLASS_IN = 1;

export const OPCODE_QUERY = 0;

/** Response codes, RFC 1035 section 4.1.1, RFC 2136 section 2.2 and RFC 6891. */
export const RCODES = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  NOTAUTH: 9,
  BADVERS: 16,
} as const;

const typeNames = new Map<number, string>(
  [...Object.entries(RECORD_TYPES), ...Object.entries(META_TYPES)].map(([name, code]) => [code, name]),
);
const rcodeNames = new Map<number, string>(Object.entries(RCODES).map(([name, code]) => [code, name]));

/** `A`, `SRV`, …, or `TYPE65` as RFC 3597 section 5 writes it. */
export function typeName(code: number): string {
  return typeNames.get(code) ?? `TYPE${code}`;
}

export function rcodeName(code: number): string {
  return rcodeNames.get(code) ?? `RCODE${code}`;
}
