import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { parsePrefix } from '#ip';
import { sandboxedKernel } from '#kernel';
import { addressRange } from './address-range.ts';
import { AttachmentStore } from './attachment-store.ts';

test('AttachmentStore on a full disk: the reservation fails whole, and what is held can still be released', () => {
  sandboxedKernel();
  mkdirSync('/run/small');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', '/run/small']);
  using store = new AttachmentStore('/run/small/attachments.sqlite');
  const reserve = (i: number) =>
    store.reserve(
      {
        ...{
          network: 'podway',
          containerId: `c${i}`,
          ifName: 'eth0',
          netns: '/run/netns/c',
          hostLink: `pod${i}`,
        },
        ...{
          portMappings: [],
          pod: undefined,
          ranges: [[addressRange(parsePrefix('10.0.0.0/16'))]],
          fixed: [],
        },
      },
      0,
    );
  reserve(0);
  writeFileSync('/run/small/filler', '');
  assert.throws(() => writeFileSync('/run/small/filler', Buffer.alloc(1 << 20)), /ENOSPC/);
  let held = 1;
  assert.throws(
    () => {
      for (; held < 1000; held++) reserve(held);
    },
    (error: Error) => 'errcode' in error && /full/.test(error.message),
  );
  assert.equal(store.count(), held);
  rmSync('/run/small/filler');
  store.release({ network: 'podway', containerId: 'c0', ifName: 'eth0' }, 0);
  reserve(held);
  const addresses = store.list().flatMap((attachment) => attachment.addresses);
  assert.equal(new Set(addresses).size, held);
});
