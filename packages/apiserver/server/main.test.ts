import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { InvalidInputError } from '#runtime';
import { temporaryDirectory } from '../testing/registry.ts';
import { parseApiServerOptions } from './main.ts';

test('parseApiServerOptions: reads files and listeners, and names the flag that is wrong', () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, 'file.pem');
  writeFileSync(file, 'PEM');
  const tls = ['--tls-cert', file, '--tls-key', file, '--client-ca', file];
  const options = parseApiServerOptions([
    ...tls,
    '--data-dir',
    '/d',
    '--listen-fd',
    '3',
    '--listen',
    '[::1]:6443',
    '--service-cidr',
    '10.96.0.0/16',
  ]);
  assert.deepEqual(options.listen, [{ fd: 3 }, { address: '::1', port: 6443 }]);
  assert.deepEqual(options.tls, { certificate: 'PEM', key: 'PEM', clientAuthority: 'PEM' });
  for (const [argv, field] of [
    [[...tls, '--data-dir', '/d'], '--listen'],
    [[...tls, '--listen', '127.0.0.1:1'], '--data-dir'],
    [['--data-dir', '/d', '--listen', 'localhost'], '--listen'],
    [['--data-dir', '/d', '--listen-fd', 'x'], '--listen-fd'],
    [['--data-dir', '/d', '--listen-fd', '3', '--tls-cert', '/no/such'], '--tls-cert'],
  ] as const)
    assert.throws(
      () => parseApiServerOptions(argv),
      (error) => error instanceof InvalidInputError && error.field === field,
      field,
    );
});
