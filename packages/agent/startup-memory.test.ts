import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { releaseStartupMemory, unchangedFileMappings } from './startup-memory.ts';

const entry = (head: string, anonymous: number, dirty: number) =>
  `${head}\nSize: 8 kB\nRss: 8 kB\nPrivate_Clean:         8 kB\nPrivate_Dirty:  ${dirty} kB\nAnonymous:  ${anonymous} kB\nVmFlags: rd mr`;

test('unchangedFileMappings: of files, read-only, private, and never written to', () => {
  const smaps = [
    entry('1000-3000 r-xp 00000000 00:1d 77   /bin/node', 0, 0),
    entry('4000-5000 r--p 00001000 00:1d 77   /bin/node', 0, 0),
    entry('5000-6000 r--p 00002000 00:1d 77   /bin/node', 4, 4),
    entry('6000-7000 rw-p 00003000 00:1d 77   /bin/node', 0, 0),
    entry('7000-8000 r--s 00003000 00:1d 77   /some/file', 0, 0),
    entry('8000-9000 r--p 00000000 00:00 0', 0, 0),
  ].join('\n');
  assert.deepEqual(unchangedFileMappings(`${smaps}\n`), [
    { address: 0x1000n, length: 0x2000 },
    { address: 0x4000n, length: 0x1000 },
  ]);
});

test('releaseStartupMemory: fewer pages of files are resident, and the program goes on', () => {
  const fileKilobytes = () =>
    Number(/^RssFile:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const before = fileKilobytes();
  releaseStartupMemory();
  assert.ok(fileKilobytes() < before, `${fileKilobytes()} kB of ${before}`);
  assert.equal(JSON.stringify({ still: [1, 2] }), '{"still":[1,2]}');
});
