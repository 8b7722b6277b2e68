import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { freePort, InvalidInputError } from '#runtime';
import { parseFlags } from './flags.ts';
import { helloText } from './hello-app.ts';
import { udpAnswer } from './netexec.ts';
import { portsToServe } from './porter.ts';
import { dnsServers, dnsSuffixes } from './resolver-files.ts';
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

test('netexec: not ready from SIGTERM on, and served until the delay is over', async () => {
  const port = await freePort();
  const script = `import { runNetexec } from ${JSON.stringify(join(import.meta.dirname, 'netexec.ts'))};
    await runNetexec({ flags: new Map(${JSON.stringify([
      ['http-port', String(port)],
      ['udp-port', '0'],
      ['delay-shutdown', '60'],
    ])}), rest: [] });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    assert.equal(await status('/readyz'), 200);
    child.kill('SIGTERM');
    while ((await status('/readyz')) !== 503) assert.equal(child.exitCode, null);
    assert.equal(await status('/healthz'), 200);
  } finally {
    child.kill('SIGKILL');
  }
});

test('runBuiltin: an unknown name or command is refused', async () => {
  await assert.rejects(runBuiltin(['none']), InvalidInputError);
  await assert.rejects(runBuiltin(['agnhost', 'none']), InvalidInputError);
});

test('agnhost porter: the ports that the environment names', () => {
  assert.deepEqual(
    portsToServe({ SERVE_PORT_80: 'eighty', SERVE_PORT_0: 'x', SERVE_PORT_70000: 'x', PATH: '/' }),
    [[80, 'eighty']],
  );
});

test('agnhost dns-suffix, dns-server-list: what resolv.conf says', () => {
  const text =
    '# generated\nsearch a.svc.cluster.local  cluster.local\nnameserver 10.96.0.10\nnameserver fd00::a\n';
  assert.equal(dnsSuffixes(text), 'a.svc.cluster.local,cluster.local');
  assert.equal(dnsServers(text), '10.96.0.10,fd00::a');
});
