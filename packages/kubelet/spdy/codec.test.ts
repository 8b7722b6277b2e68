import assert from 'node:assert/strict';
import test from 'node:test';
import { constants, createDeflate } from 'node:zlib';
import fc from 'fast-check';
import { SpdyDecoder, SpdyEncoder, type SpdyFrame } from './codec.ts';
import { SPDY_DICTIONARY } from './dictionary.ts';
import { SpdyError } from './error.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

test('SPDY_DICTIONARY: has the Adler-32 that SPDY/3 peers send', () => {
  const [a, b] = SPDY_DICTIONARY.reduce<readonly [number, number]>(
    ([low, high], byte) => [(low + byte) % 65521, (high + low + byte) % 65521],
    [1, 0],
  );
  assert.equal(((b * 65536 + a) >>> 0).toString(16), 'e3c6a7c2');
});

for (const { name, frame, bytes } of [
  {
    name: 'data with FIN',
    frame: { type: 'data', stream: 5, data: hex('6869'), fin: true },
    bytes: '00000005 01 000002 6869',
  },
  { name: 'ping', frame: { type: 'ping', id: 7 }, bytes: '80030006 00 000004 00000007' },
  {
    name: 'goaway',
    frame: { type: 'goaway', lastStream: 9, status: 0 },
    bytes: '80030007 00 000008 00000009 00000000',
  },
  {
    name: 'rst-stream',
    frame: { type: 'rst-stream', stream: 1, status: 5 },
    bytes: '80030003 00 000008 00000001 00000005',
  },
  {
    name: 'syn-reply with a stored header block',
    frame: { type: 'syn-reply', stream: 1, headers: new Map([['a', 'b']]), fin: false },
    bytes: '80030002 00 00001e 00000001 7801 00 0e00 f1ff 00000001 00000001 61 00000001 62 00 0000 ffff',
  },
] as const satisfies readonly { name: string; frame: SpdyFrame; bytes: string }[])
  test(`SpdyEncoder, SpdyDecoder: ${name}`, () => {
    assert.deepEqual(new SpdyEncoder().encode(frame), hex(bytes));
    const [decoded] = new SpdyDecoder().push(hex(bytes));
    assert.deepEqual(decoded, frame);
  });

/** What a Go client sends: one zlib stream with the dictionary, flushed after each block. */
async function compressedBlocks(blocks: readonly Buffer[]): Promise<readonly Buffer[]> {
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  const chunks: Buffer[] = [];
  deflate.on('data', (chunk: Buffer) => chunks.push(chunk));
  const out: Buffer[] = [];
  for (const block of blocks) {
    deflate.write(block);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    out.push(Buffer.concat(chunks.splice(0)));
  }
  return out;
}

test('SpdyDecoder: header blocks compressed as one stream with the dictionary', async () => {
  const block = (pairs: readonly (readonly [string, string])[]) => {
    const encoded = new SpdyEncoder().encode({
      type: 'headers',
      stream: 1,
      headers: new Map(pairs),
      fin: false,
    });
    return encoded.subarray(8 + 4 + 2 + 5, -5);
  };
  const pairs = Array.from(
    { length: 40 },
    (_, index) =>
      [
        ['streamtype', index % 2 === 0 ? 'error' : 'data'],
        ['port', '8080'],
        ['requestid', String(index)],
      ] as const,
  );
  const decoder = new SpdyDecoder();
  for (const [index, deflated] of (await compressedBlocks(pairs.map(block))).entries()) {
    const body = Buffer.concat([hex('00000001 00000000 0000'), deflated]);
    const head = Buffer.concat([hex('80030001 00'), Buffer.from([0, body.length >> 8, body.length & 255])]);
    const [frame] = decoder.push(Buffer.concat([head, body]));
    assert.equal(frame?.type, 'syn-stream');
    assert.deepEqual(frame.headers, new Map(pairs[index]));
  }
});

test('SpdyDecoder: frames come out whole however the bytes are cut', () => {
  const text = fc.string({ maxLength: 20 });
  const frame = fc.oneof(
    fc.record({
      type: fc.constant('data' as const),
      stream: fc.integer({ min: 1, max: 99 }),
      data: fc.uint8Array(),
      fin: fc.boolean(),
    }),
    fc.record({
      type: fc.constant('syn-stream' as const),
      stream: fc.integer({ min: 1, max: 99 }),
      headers: fc
        .array(
          fc.tuple(
            text.map((name) => name.toLowerCase()),
            text,
          ),
        )
        .map((pairs) => new Map(pairs)),
      fin: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(
      fc.array(frame),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (frames, cuts) => {
        const encoder = new SpdyEncoder();
        const bytes = Buffer.concat(frames.map((each) => encoder.encode(each)));
        const decoder = new SpdyDecoder();
        const out: SpdyFrame[] = [];
        for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1;
          out.push(...decoder.push(bytes.subarray(offset, offset + length)));
          offset += length;
        }
        const plain = (list: readonly SpdyFrame[]) =>
          list.map((each) =>
            each.type === 'data' ? { ...each, data: Buffer.from(each.data).toString('hex') } : { ...each },
          );
        assert.deepEqual(plain(out), plain(frames));
      },
    ),
  );
});

test('SpdyDecoder: refuses what is not SPDY/3', () => {
  assert.throws(() => new SpdyDecoder().push(hex('80020001 00 00000a 00000001000000000000')), SpdyError);
  assert.throws(() => new SpdyDecoder().push(hex('80030001 00 00000c 0000000100000000000078bb')), SpdyError);
  assert.throws(() => new SpdyDecoder().push(hex('80030003 00 000004 00000001')), SpdyError);
});
