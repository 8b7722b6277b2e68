import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { InvalidInputError } from './errors.ts';
import { streamLogger } from './logger.ts';

test('streamLogger: one line a record with fields, below the level nothing', () => {
  const lines: string[] = [];
  const logger = streamLogger('info', { write: (text) => lines.push(text) }, () => 0).with({ node: 'node1' });
  logger.debug('hidden');
  logger.info('route added', { to: '10.244.1.0/24', via: undefined, why: 'a "new" node' });
  logger.error('failed', { error: new InvalidInputError('spec.port', 0, 'must be 1-65535') });
  assert.deepEqual(lines, [
    '1970-01-01T00:00:00.000Z info  route added node=node1 to=10.244.1.0/24 why="a \\"new\\" node"\n',
    '1970-01-01T00:00:00.000Z error failed node=node1 error="spec.port: invalid value 0: must be 1-65535"\n',
  ]);
});

test('streamLogger: a stderr that takes no more ends nothing', () => {
  const program = `
    import { streamLogger } from '${join(import.meta.dirname, 'logger.ts')}';
    streamLogger().info('one');
    setTimeout(() => { streamLogger().info('two'); setTimeout(() => console.log('goes on'), 5); }, 5);`;
  const full = openSync('/dev/full', 'w');
  try {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', full],
      encoding: 'utf8',
    });
    assert.equal(stdout, 'goes on\n');
  } finally {
    closeSync(full);
  }
});
