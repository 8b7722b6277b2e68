import assert from 'node:assert/strict';
import test from 'node:test';
import { InvalidInputError } from '#runtime';
import { DNS_HELP, parseDnsOptions } from './options.ts';

test('parseDnsOptions: defaults and repeated flags', () => {
  const options = parseDnsOptions([
    ...['--listen', '10.96.0.10:53', '--listen', '[fd00::a]:53', '--upstream', '192.0.2.1'],
    ...[
      '--stub-domain',
      'corp.example=192.0.2.2',
      '--stub-domain',
      'corp.example=192.0.2.3',
      '--metrics-address',
      '127.0.0.1:0',
    ],
    ...['--transfer-to', '192.0.2.0/24, 2001:db8::/32'],
  ]);
  assert.deepEqual(options?.listen, [
    { address: '10.96.0.10', port: 53 },
    { address: 'fd00::a', port: 53 },
  ]);
  assert.deepEqual(options?.stubDomains, { 'corp.example': ['192.0.2.2', '192.0.2.3'] });
  assert.deepEqual(options?.transferTo, ['192.0.2.0/24', '2001:db8::/32']);
  assert.deepEqual(parseDnsOptions([])?.transferTo, []);
  assert.deepEqual([options?.ttl, options?.podRecords, options?.pages], [5, 'insecure', undefined]);
  assert.equal(parseDnsOptions(['--help']), undefined);
});

for (const [args, field] of [
  [['--listen', 'localhost:53'], '--listen'],
  [['--upstream', 'dns.example'], '--upstream'],
  [['--stub-domain', 'corp.example'], '--stub-domain'],
  [['--ttl', '-1'], 'arguments'],
  [['--ttl=x'], '--ttl'],
  [['--pods', 'maybe'], '--pods'],
  [['--transfer-to', '192.0.2.1'], '--transfer-to'],
  [['--log-queries', '2'], '--log-queries'],
  [['--nonsense'], 'arguments'],
] as const)
  test(`parseDnsOptions: ${args.join(' ')} is refused by name`, () => {
    assert.throws(
      () => parseDnsOptions(args),
      (error: unknown) => error instanceof InvalidInputError && error.field === field,
    );
  });

test('DNS_HELP: names every flag it takes', () => {
  for (const flag of ['--kubeconfig', '--listen', '--autopath', '--stub-domain', '--hosts', '--log-queries'])
    assert.ok(DNS_HELP.includes(flag));
});
