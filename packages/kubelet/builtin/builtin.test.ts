import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import test from 'node:test';
import { InvalidInputError } from '#runtime';
import { parseFlags } from './flags.ts';
import { helloText } from './hello-app.ts';
import { udpAnswer } from './netexec.ts';
import { runBuiltin } from './run-builtin.ts';

for (const [tag, version] of [
  ['1.0', '1.0.0'],
  ['2.0', '2.0.0'],
  ['v2', '2.0.0'],
  ['latest', '1.0.0'],
  ['', '1.0.0'],
] as const)
  test(`helloText: tag ${JSON.stringify(tag)}`, () =>
    assert.equal(helloText(tag, 'pod-1'), `Hello, world!\nVersion: ${version}\nHostname: pod-1\n`));

test('parseFlags: as Go programs take them', () => {
  const { flags, rest } = parseFlags(
    ['--http-port=80', '--udp-port', '81', '-tcp', 'host:1', '--last'],
    ['tcp'],
  );
  assert.deepEqual(Object.fromEntries(flags), {
    'http-port': '80',
    'udp-port': '81',
    tcp: 'true',
    last: 'true',
  });
  assert.deepEqual(rest, ['host:1']);
});

for (const [message, answer] of [
  ['hostname\n', hostname()],
  ['hostName', hostname()],
  ['clientip', '10.0.0.1:5'],
  ['echo a  b', 'a  b'],
  ['', ''],
  ['other', 'unknown command: other'],
] as const)
  test(`udpAnswer: ${JSON.stringify(message)}`, () => assert.equal(udpAnswer(message, '10.0.0.1:5'), answer));

test('runBuiltin: an unknown name or command is refused', async () => {
  await assert.rejects(runBuiltin(['none']), InvalidInputError);
  await assert.rejects(runBuiltin(['agnhost', 'none']), InvalidInputError);
});
