import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomUuid } from './uuid.ts';

const filled = (octet: number) => ({ next: () => 0, bytes: (length: number) => Buffer.alloc(length, octet) });

test('randomUuid: all bits are random but those of the version and the variant', () => {
  assert.equal(randomUuid(filled(0x00)), '00000000-0000-4000-8000-000000000000');
  assert.equal(randomUuid(filled(0xff)), 'ffffffff-ffff-4fff-bfff-ffffffffffff');
});
