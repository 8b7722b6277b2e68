import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasErrorCode } from './errors.ts';
import { writeFileAtomically } from './write-file.ts';

test('writeFileAtomically: content and mode, once for equal content, and nothing beside it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'podway-write-file-'));
  try {
    const path = join(directory, 'file');
    assert.equal(writeFileAtomically(path, 'one', 0o755), true);
    assert.equal(statSync(path).mode & 0o777, 0o755);
    const { ino } = statSync(path);
    assert.equal(writeFileAtomically(path, Buffer.from('one'), 0o755), false);
    assert.equal(statSync(path).ino, ino);
    assert.equal(writeFileAtomically(path, 'two', 0o600), true);
    assert.deepEqual([readFileSync(path, 'utf8'), statSync(path).mode & 0o777], ['two', 0o600]);
    assert.deepEqual(readdirSync(directory), ['file']);
    const missing = () => writeFileAtomically(join(directory, 'none', 'file'), 'x', 0o600);
    assert.throws(missing, (error) => hasErrorCode(error, 'ENOENT'));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
