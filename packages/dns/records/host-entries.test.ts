import assert from 'node:assert/strict';
import test from 'node:test';
import { InvalidInputError } from '#runtime';
import { RECORD_TYPES } from '../wire/index.ts';
import { HostEntries, parseHosts } from './host-entries.ts';

const hosts = new HostEntries(
  parseHosts('# a comment\n192.0.2.1 Gate.example gate # note\n\n2001:db8::1\tgate.example\n'),
  60,
);
const addresses = (name: string, type: keyof typeof RECORD_TYPES) =>
  hosts
    .resolve(name, RECORD_TYPES[type])
    ?.answers.map((each) =>
      each.type === 'A' || each.type === 'AAAA'
        ? each.address
        : each.type === 'PTR'
          ? each.target
          : each.type,
    );

test('HostEntries: names of both families, and the reverse of the first name', () => {
  assert.deepEqual(addresses('gate.example', 'A'), ['192.0.2.1']);
  assert.deepEqual(addresses('gate.example', 'AAAA'), ['2001:db8::1']);
  assert.deepEqual(addresses('gate', 'AAAA'), []);
  assert.deepEqual(addresses('1.2.0.192.in-addr.arpa', 'PTR'), ['gate.example']);
  assert.equal(addresses('other.example', 'A'), undefined);
});

test('parseHosts: a bad line is named', () => {
  for (const [text, field] of [
    ['192.0.2.1 a\n192.0.2.1', 'hosts line 2'],
    ['192.0.2 a', 'hosts line 1'],
    ['192.0.2.1 a..b', 'hosts line 1'],
  ] as const)
    assert.throws(
      () => parseHosts(text),
      (error: unknown) => error instanceof InvalidInputError && error.field === field,
    );
});
