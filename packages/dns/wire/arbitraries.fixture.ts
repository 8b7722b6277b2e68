import fc from 'fast-check';
import { ipFromBytes } from '#ip';
import type { Edns, Message, RecordData, ResourceRecord } from './message.ts';
import { type DnsName, labelToText } from './name.ts';

/** Generators of this codec's values, for property tests. */

/** Objects with the usual prototype, so that deepEqual compares them with what the codec makes. */
function plain<T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const octet = fc.integer({ min: 0, max: 255 });
const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const ttl = fc.integer({ min: 0, max: 0x7fffffff });

/** Names as hosts have them: no escapes are needed. */
export const hostName: fc.Arbitrary<DnsName> = fc
  .array(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,20}$/), { minLength: 1, maxLength: 6 })
  .map((labels) => labels.join('.'));

/** Any name at all, the root and labels of odd octets included. */
export const anyName: fc.Arbitrary<DnsName> = fc.oneof(
  { weight: 4, arbitrary: hostName },
  { weight: 1, arbitrary: fc.constant('.') },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 5 })
      .map((labels) => labels.map(labelToText).join('.')),
  },
);

const ascii = fc.stringMatching(/^[ -~]{0,40}$/);
const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
const address6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes);

export function recordData(name: fc.Arbitrary<DnsName>): fc.Arbitrary<RecordData> {
  const pointing = (type: 'NS' | 'CNAME' | 'PTR') => name.map((target): RecordData => ({ type, target }));
  return fc.oneof<fc.Arbitrary<RecordData>[]>(
    address4.map((address) => ({ type: 'A', address })),
    address6.map((address) => ({ type: 'AAAA', address })),
    pointing('NS'),
    pointing('CNAME'),
    pointing('PTR'),
    plain({ type: fc.constant('MX'), preference: uint16, target: name }),
    plain({ type: fc.constant('SRV'), priority: uint16, weight: uint16, port: uint16, target: name }),
    plain({
      type: fc.constant('SOA'),
      primary: name,
      mailbox: name,
      serial: uint32,
      refresh: uint32,
      retry: uint32,
      expire: uint32,
      minimum: uint32,
    }),
    plain({
      type: fc.constant('TXT'),
      strings: fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 3 }),
    }),
    plain({ type: fc.constant('HINFO'), cpu: ascii, os: ascii }),
    plain({
      type: fc.constant('unknown'),
      typeCode: fc.integer({ min: 300, max: 0xffff }),
      data: fc.uint8Array({ maxLength: 60 }),
    }),
  );
}

export function resourceRecord(name: fc.Arbitrary<DnsName>): fc.Arbitrary<ResourceRecord> {
  return fc
    .tuple(name, ttl, recordData(name))
    .map(([owner, seconds, data]): ResourceRecord => ({ name: owner, class: 1, ttl: seconds, ...data }));
}

const edns: fc.Arbitrary<Edns> = plain({
  udpPayloadSize: uint16,
  version: octet,
  dnssecOk: fc.boolean(),
  options: fc.array(plain({ optionCode: uint16, data: fc.uint8Array({ maxLength: 16 }) }), {
    maxLength: 3,
  }),
});

export function message(name: fc.Arbitrary<DnsName>): fc.Arbitrary<Message> {
  const records = fc.array(resourceRecord(name), { maxLength: 6 });
  return plain({
    id: uint16,
    opcode: fc.integer({ min: 0, max: 15 }),
    rcode: fc.integer({ min: 0, max: 15 }),
    response: fc.boolean(),
    authoritative: fc.boolean(),
    truncated: fc.boolean(),
    recursionDesired: fc.boolean(),
    recursionAvailable: fc.boolean(),
    authenticData: fc.boolean(),
    checkingDisabled: fc.boolean(),
    questions: fc.array(
      plain({ name, typeCode: fc.integer({ min: 1, max: 0xffff }), class: fc.constant(1) }),
      { maxLength: 2 },
    ),
    answers: records,
    authorities: records,
    additionals: records,
  }).chain((base) => fc.option(edns, { nil: undefined }).map((own): Message => ({ ...base, edns: own })));
}
