import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NetlinkFormatError } from '../errors.ts';
import { Attributes, afterHeader, eachAttribute, parseMessages } from './reader.ts';
import { NetlinkWriter } from './writer.ts';

const plain = { noNullPrototype: true };
const attribute = fc.record(
  {
    type: fc.integer({ min: 1, max: 0x3fff }),
    value: fc.uint8Array({ maxLength: 40 }),
  },
  plain,
);

describe('NetlinkWriter and the readers', () => {
  test('messages and attributes come back as they were written', () => {
    const message = fc.record(
      {
        type: fc.integer({ min: 0, max: 0xffff }),
        flags: fc.integer({ min: 0, max: 0xffff }),
        sequence: fc.integer({ min: 0, max: 0xffffffff }),
        attributes: fc.array(attribute, { maxLength: 8 }),
      },
      plain,
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        const writer = new NetlinkWriter(1);
        for (const { type, flags, sequence, attributes } of messages)
          writer.message(type, flags, sequence, () => {
            for (const { type, value } of attributes) writer.attr(type, value);
          });
        const read = parseMessages(writer.bytes()).map(({ payload, ...header }) => {
          const attributes: { type: number; value: Uint8Array }[] = [];
          eachAttribute(payload, (type, value) => attributes.push({ type, value: Uint8Array.from(value) }));
          return { ...header, attributes };
        });
        assert.deepEqual(read, messages);
      }),
    );
  });
  test('integers, strings and nests come back through Attributes', () => {
    const writer = new NetlinkWriter();
    writer
      .attrU8(1, 200)
      .attrU16be(2, 0xabcd)
      .attrU32(3, 0xfedcba98)
      .attrU32be(4, 0xfedcba98)
      .attrString(5, 'grüß');
    writer.nest(6, () => writer.attrU32(1, 7));
    writer.attrParts(7, [Uint8Array.of(1, 2, 3), Uint8Array.of(4)]).attrParts(8, [Uint8Array.of(1, 2, 3)]);
    const read = new Attributes(writer.bytes());
    assert.deepEqual(
      [read.u8(1), read.u16be(2), read.u32(3), read.u32be(4), read.string(5), read.nested(6)?.u32(1)],
      [200, 0xabcd, 0xfedcba98, 0xfedcba98, 'grüß', 7],
    );
    assert.deepEqual([...(read.bytes(7) ?? [])], [1, 2, 3, 0, 4, 0, 0, 0]);
    assert.deepEqual([...(read.bytes(8) ?? [])], [1, 2, 3]);
    assert.deepEqual(
      [read.has(9), read.u32(9), read.bytes(9), read.nested(9)],
      [false, undefined, undefined, undefined],
    );
  });
  for (const [what, call] of [
    ['half a header', () => parseMessages(Buffer.alloc(8))],
    ['a message longer than the bytes', () => parseMessages(Buffer.from('ff000000'.padEnd(32, '0'), 'hex'))],
    ['a message shorter than its header', () => parseMessages(Buffer.alloc(16))],
    ['an attribute longer than the bytes', () => new Attributes(Buffer.from('ff00010000', 'hex'))],
    ['an attribute shorter than its header', () => new Attributes(Buffer.from('03000100', 'hex'))],
    ['a value shorter than its type', () => new Attributes(Buffer.from('0500010000', 'hex')).u32(1)],
    ['a fixed header cut off', () => afterHeader(Buffer.alloc(3), 4, 'a thing')],
  ] as const)
    test(`refuses ${what}`, () => {
      assert.throws(call, NetlinkFormatError);
    });
});
