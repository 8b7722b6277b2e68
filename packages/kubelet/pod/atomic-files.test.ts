import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { writeFilesAtomically } from './atomic-files.ts';

const file = (path: string, text: string, mode = 0o644) => ({ path, content: Buffer.from(text), mode });

test('writeFilesAtomically: files come, change and go behind one link', () => {
  const dir = mkdtempSync(join(tmpdir(), 'atomic-'));
  try {
    assert.ok(writeFilesAtomically(dir, [file('a', '1'), file('d/b', '2', 0o400)], 'v1'));
    assert.equal(readFileSync(join(dir, 'a'), 'utf8'), '1');
    assert.equal(statSync(join(dir, 'd/b')).mode & 0o777, 0o400);
    assert.equal(readlinkSync(join(dir, '..data')), '..v1');
    assert.equal(readlinkSync(join(dir, 'a')), '..data/a');
    assert.equal(writeFilesAtomically(dir, [file('a', '1'), file('d/b', '2')], 'v2'), false);
    assert.ok(writeFilesAtomically(dir, [file('a', 'new'), file('c', '3')], 'v3'));
    assert.deepEqual(readdirSync(dir).sort(), ['..data', '..v3', 'a', 'c']);
    assert.equal(readFileSync(join(dir, 'a'), 'utf8'), 'new');
    assert.ok(writeFilesAtomically(dir, [], 'v4'));
    assert.deepEqual(readdirSync(dir).sort(), ['..data', '..v4']);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
