import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineDecoder } from './line-decoder.ts';

test('LineDecoder: whatever the chunks, the same lines come out', () => {
  const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\n\r]/.test(text));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.integer({ min: 1, max: 7 })), (lines, sizes) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      const decoder = new LineDecoder(1 << 20);
      const found: string[] = [];
      let [at, turn] = [0, 0];
      while (at < bytes.length) {
        const size = sizes[turn++ % Math.max(1, sizes.length)] ?? 3;
        found.push(...decoder.push(bytes.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(found, lines);
      assert.equal(decoder.pending, false);
    }),
  );
});

test('LineDecoder: an unfinished line is pending', () => {
  const decoder = new LineDecoder(10);
  assert.deepEqual([...decoder.push(Buffer.from('a\n\nb'))], ['a']);
  assert.equal(decoder.pending, true);
});

test('LineDecoder: a line longer than allowed is refused, whether whole or growing', () => {
  assert.throws(() => [...new LineDecoder(4).push(Buffer.from('12345\n'))], /more than 4 bytes/);
  const decoder = new LineDecoder(4);
  assert.deepEqual([...decoder.push(Buffer.from('123'))], []);
  assert.throws(() => [...decoder.push(Buffer.from('45'))], /more than 4 bytes/);
});
