import assert from 'node:assert/strict';
import test from 'node:test';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { parseIp } from '#ip';
import { seededRandom } from '#runtime';
import { anyName, hostName, message } from '../fixtures/arbitraries.ts';
import { fuzzCodec } from '../fixtures/fuzz.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage } from './encode.ts';
import { WireError } from './errors.ts';
import { type Message, queryMessage, type ResourceRecord } from './message.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const fromHex = (text: string) => new Uint8Array(Buffer.from(text.replace(/\s+/g, ''), 'hex'));

const reply = (parts: Partial<Message>): Message => ({ ...queryMessage(0, QUESTION), ...parts });
const QUESTION = { name: 'kubernetes.default.svc.cluster.local', typeCode: 1, class: 1 };

// Laid out by hand from RFC 1035 section 4 and RFC 6891 section 6.1.2.
const vectors: readonly { readonly name: string; readonly message: Message; readonly octets: string }[] = [
  {
    name: 'a query with RD and EDNS',
    message: queryMessage(0x1234, QUESTION, {
      edns: { udpPayloadSize: 1232, version: 0, dnssecOk: true, options: [] },
    }),
    octets: `1234 0100 0001 0000 0000 0001
      0a 6b756265726e65746573 07 64656661756c74 03 737663 07 636c7573746572 05 6c6f63616c 00 0001 0001
      00 0029 04d0 00 00 8000 0000`,
  },
  {
    name: 'an answer whose owner points to the question',
    message: reply({
      id: 0xabcd,
      response: true,
      authoritative: true,
      recursionAvailable: true,
      answers: [{ name: QUESTION.name, class: 1, ttl: 5, type: 'A', address: parseIp('10.96.0.1') }],
    }),
    octets: `abcd 8580 0001 0001 0000 0000
      0a 6b756265726e65746573 07 64656661756c74 03 737663 07 636c7573746572 05 6c6f63616c 00 0001 0001
      c00c 0001 0001 00000005 0004 0a600001`,
  },
  {
    name: 'an SRV target is written whole, and later names may point into it',
    message: reply({
      response: true,
      questions: [{ name: '_h._tcp.s', typeCode: 33, class: 1 }],
      answers: [
        {
          name: '_h._tcp.s',
          class: 1,
          ttl: 5,
          type: 'SRV',
          priority: 0,
          weight: 100,
          port: 80,
          target: 'x.s',
        },
      ],
      additionals: [{ name: 'x.s', class: 1, ttl: 5, type: 'AAAA', address: parseIp('2001:db8::1') }],
    }),
    octets: `0000 8100 0001 0001 0000 0001
      02 5f68 04 5f746370 01 73 00 0021 0001
      c00c 0021 0001 00000005 000b 0000 0064 0050 01 78 01 73 00
      c02d 001c 0001 00000005 0010 20010db8000000000000000000000001`,
  },
  {
    name: 'NXDOMAIN with SOA',
    message: reply({
      response: true,
      rcode: 3,
      questions: [{ name: 'n.z', typeCode: 1, class: 1 }],
      authorities: [
        {
          name: 'z',
          class: 1,
          ttl: 5,
          type: 'SOA',
          primary: 'ns.z',
          mailbox: 'h.z',
          serial: 1,
          refresh: 7200,
          retry: 1800,
          expire: 86400,
          minimum: 5,
        },
      ],
    }),
    octets: `0000 8103 0001 0000 0001 0000 01 6e 01 7a 00 0001 0001
      c00e 0006 0001 00000005 001d 02 6e73 c00e 01 68 c00e 00000001 00001c20 00000708 00015180 00000005`,
  },
];

for (const { name, message: value, octets } of vectors)
  test(`codec: ${name}`, () => {
    assert.equal(hex(encodeMessage(value)), hex(fromHex(octets)));
    assert.deepEqual(decodeMessage(fromHex(octets)), value);
  });

test('codec: whatever is encoded decodes to the same', () => {
  fc.assert(
    fc.property(message(anyName), (value) => {
      assert.deepEqual(decodeMessage(encodeMessage(value)), value);
    }),
    { numRuns: 500 },
  );
});

/** Our record as the oracle writes it, for the shapes both know. */
function toOracle(record: ResourceRecord): dnsPacket.Answer | undefined {
  const head = { name: record.name, ttl: record.ttl, class: 'IN' as const };
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return { ...head, type: record.type, data: record.address };
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return { ...head, type: record.type, data: record.target };
    case 'MX':
      return { ...head, type: 'MX', data: { preference: record.preference, exchange: record.target } };
    case 'SRV': {
      const { priority, weight, port, target } = record;
      return { ...head, type: 'SRV', data: { priority, weight, port, target } };
    }
    case 'SOA': {
      const { primary, mailbox, serial, refresh, retry, expire, minimum } = record;
      return {
        ...head,
        type: 'SOA',
        data: { mname: primary, rname: mailbox, serial, refresh, retry, expire, minimum },
      };
    }
    case 'TXT':
      return { ...head, type: 'TXT', data: record.strings.map((text) => Buffer.from(text)) };
    case 'HINFO':
      return { ...head, type: 'HINFO', data: { cpu: record.cpu, os: record.os } };
    case 'unknown':
      return undefined;
  }
}

const known = (records: readonly ResourceRecord[]) =>
  records.filter(
    (record) =>
      record.type !== 'unknown' &&
      record.type !== 'HINFO' &&
      // The oracle drops empty strings.
      !(record.type === 'TXT' && record.strings.some((text) => text.length === 0)),
  );
const oracleRecords = (records: readonly ResourceRecord[]) =>
  records.map(toOracle).filter((record) => record !== undefined);

test('codec: what we encode dns-packet reads as the same records', () => {
  fc.assert(
    fc.property(message(hostName), (value) => {
      const ours = { ...value, edns: undefined, answers: known(value.answers), additionals: [], opcode: 0 };
      const theirs = dnsPacket.decode(Buffer.from(encodeMessage(ours)));
      assert.equal(theirs.id, ours.id);
      assert.deepEqual(
        theirs.questions?.map((question) => question.name),
        ours.questions.map((question) => question.name),
      );
      assert.deepEqual(
        theirs.answers?.map((answer) => normalized(answer)),
        oracleRecords(ours.answers).map((answer) => normalized(answer)),
      );
    }),
    { numRuns: 300 },
  );
});

test('codec: what dns-packet encodes we read as the same records', () => {
  fc.assert(
    fc.property(message(hostName), (value) => {
      const answers = known(value.answers);
      const octets = dnsPacket.encode({ type: 'response', id: value.id, answers: oracleRecords(answers) });
      const decoded = decodeMessage(octets);
      assert.deepEqual(decoded.answers, answers);
      assert.equal(decoded.id, value.id);
    }),
    { numRuns: 300 },
  );
});

/** The oracle writes addresses its own way and adds fields: only what both mean is compared. */
function normalized(answer: dnsPacket.Answer): unknown {
  const data: unknown = 'data' in answer ? answer.data : undefined;
  const ttl = 'ttl' in answer ? answer.ttl : undefined;
  const text = typeof data === 'string' && answer.type === 'AAAA' ? parseIp(data) : data;
  return { name: answer.name, type: answer.type, ttl, data: text };
}

test('codec: a name compressed in the data of an unknown type is written out', () => {
  // RP (17): mailbox "m.z" and text "z", both through pointers.
  const decoded = decodeMessage(
    fromHex('0000 8000 0000 0001 0000 0000 01 7a 00 0011 0001 00000005 0006 01 6d c00c c00c'),
  );
  assert.deepEqual(decoded.answers[0], {
    name: 'z',
    class: 1,
    ttl: 5,
    type: 'unknown',
    typeCode: 17,
    data: fromHex('01 6d 01 7a 00 01 7a 00'),
  });
});

const faults: readonly [string, string, WireError['fault']][] = [
  ['a header cut off', '0000 0100 0001', 'truncated'],
  ['a pointer to itself', '0000 0100 0001 0000 0000 0000 c00c 0001 0001', 'bad-pointer'],
  ['a pointer forwards', '0000 0100 0001 0000 0000 0000 c020 0001 0001', 'bad-pointer'],
  ['two pointers in a loop', '0000 0100 0001 0000 0000 0000 0161 c00c 0001 0001', 'bad-pointer'],
  ['an extended label', '0000 0100 0001 0000 0000 0000 41 00 0001 0001', 'bad-label'],
  ['a name cut off', '0000 0100 0001 0000 0000 0000 0561', 'truncated'],
  [
    'an address of three octets',
    '0000 8000 0000 0001 0000 0000 00 0001 0001 00000005 0003 0a0000',
    'truncated',
  ],
  ['data over its length', '0000 8000 0000 0001 0000 0000 00 0001 0001 00000005 0003 0a000001', 'bad-data'],
  [
    'two OPT records',
    '0000 0100 0000 0000 0000 0002 00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000',
    'bad-edns',
  ],
  ['octets behind the end', '0000 0100 0000 0000 0000 0000 00', 'bad-data'],
];
for (const [name, octets, fault] of faults)
  test(`decodeMessage: ${name} is ${fault}`, () => {
    assert.throws(
      () => decodeMessage(fromHex(octets)),
      (error: unknown) => error instanceof WireError && error.fault === fault,
    );
  });

test('decodeMessage: a name of 255 octets is read, of 256 refused', () => {
  const label = `3f${'61'.repeat(63)}`;
  const header = '0000 0100 0001 0000 0000 0000';
  const name = (last: number) => `${label}${label}${label}${last.toString(16)}${'61'.repeat(last)}00`;
  assert.equal(decodeMessage(fromHex(`${header}${name(61)}00010001`)).questions.length, 1);
  assert.throws(() => decodeMessage(fromHex(`${header}${name(62)}00010001`)), { fault: 'name-too-long' });
});

test('encodeMessage: a message over the limit is too-large', () => {
  assert.throws(() => encodeMessage(queryMessage(1, QUESTION), { limit: 40 }), { fault: 'too-large' });
});

const onlyTyped = (octets: Uint8Array): void => {
  try {
    // What can be read can be written again.
    encodeMessage(decodeMessage(octets));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
};

test('decodeMessage: random octets give a message or a WireError', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), onlyTyped), { numRuns: 2000 });
});

test('decodeMessage: damaged messages give a message or a WireError', () => {
  fc.assert(
    fc.property(
      message(anyName),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
      fc.nat(),
      (value, damage, cut) => {
        const octets = encodeMessage(value);
        for (const [at, octet] of damage) octets[at % octets.length] = octet;
        onlyTyped(octets);
        onlyTyped(octets.subarray(0, cut % (octets.length + 1)));
      },
    ),
    { numRuns: 2000 },
  );
});

test('decodeMessage: hostile packets by the number, some read and all others refused with a WireError', () => {
  const { packets, messages, wireErrors } = fuzzCodec(20_000, seededRandom(3));
  assert.equal(messages + wireErrors, packets);
  assert.ok(messages > 1000 && wireErrors > 1000);
});
