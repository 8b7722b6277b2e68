import assert from 'node:assert/strict';
import test from 'node:test';
import { InvalidInputError } from '#runtime';
import { formatUpstream, parseUpstream } from './address.ts';

for (const [text, canonical] of [
  ['192.0.2.1', '192.0.2.1:53'],
  ['192.0.2.1:5353', '192.0.2.1:5353'],
  ['2001:db8::1', '[2001:db8::1]:53'],
  ['2001:db8:0:0:0:0:0:1', '[2001:db8::1]:53'],
  ['[2001:db8::1]:5353', '[2001:db8::1]:5353'],
  ['tls://192.0.2.1', 'tls://192.0.2.1:853'],
  ['tls://[2001:db8::1]:8853#dns.example', 'tls://[2001:db8::1]:8853#dns.example'],
] as const)
  test(`parseUpstream: ${text} is ${canonical}`, () => {
    assert.equal(formatUpstream(parseUpstream(text)), canonical);
    assert.deepEqual(parseUpstream(canonical), parseUpstream(text));
  });

for (const text of [
  '',
  'dns.example',
  '192.0.2.1:0',
  '192.0.2.1:70000',
  '192.0.2.1#x.example',
  'http://192.0.2.1',
  '1.2.3',
])
  test(`parseUpstream: ${JSON.stringify(text)} is refused by name`, () => {
    assert.throws(
      () => parseUpstream(text, 'f'),
      (error: unknown) => error instanceof InvalidInputError && error.field === 'f' && error.value === text,
    );
  });
