import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parseIp } from '#ip';
import { sandboxedKernel } from '#kernel';
import { MemoryInformer } from '#kube-client';
import { service } from '../fixtures/objects.ts';
import { createDnsServer } from './dns-server.ts';

sandboxedKernel();
const run = promisify(execFile);
/** Of the zone's server, and of the one in front of it. */
const PORTS = { NSEC: [5301, 5302], NSEC3: [5303, 5304] } as const;

const ZONE = `$ORIGIN signed.test.
$TTL 300
@     SOA  ns hostmaster 1 7200 1800 86400 60
      NS   ns
      MX   10 www
ns    A    127.0.0.1
www   A    192.0.2.1
      A    192.0.2.2
      AAAA 2001:db8::1
      HTTPS 1 . alpn=h2
alias CNAME www
*.any A    192.0.2.3
tree  DNAME other
a.other A  192.0.2.4
`;

/** A zone signed by ldns, its server, this server in front of it, and what delv, which validates, says of an answer. */
async function signedZone(denial: 'NSEC' | 'NSEC3') {
  const [upstreamPort, port] = PORTS[denial];
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'podway-dnssec-'));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const inside = { cwd: directory };
  writeFileSync(join(directory, 'zone'), ZONE);
  const { stdout } = await run('ldns-keygen', ['-a', 'ECDSAP256SHA256', '-k', 'signed.test'], inside);
  const key = stdout.trim();
  await run(
    'ldns-signzone',
    [...(denial === 'NSEC3' ? ['-n'] : []), '-f', 'zone.signed', 'zone', key],
    inside,
  );
  writeFileSync(
    join(directory, 'nsd.conf'),
    `server:
  ip-address: 127.0.0.1@${upstreamPort}
  username: ""
  pidfile: "${directory}/nsd.pid"
  xfrdfile: "${directory}/xfrd"
  zonelistfile: "${directory}/zone.list"
  database: ""
  zonesdir: "${directory}"
remote-control:
  control-enable: no
zone:
  name: signed.test
  zonefile: zone.signed
`,
  );
  const nsd = spawn('nsd', ['-d', '-c', join(directory, 'nsd.conf')], { stdio: 'ignore' });
  stack.defer(async () => {
    const ended = new Promise((resolve) => nsd.once('exit', resolve));
    nsd.kill();
    await ended;
  });
  stack.use(
    await createDnsServer({
      services: new MemoryInformer([
        service('default/out', { type: 'ExternalName', externalName: 'www.signed.test' }),
      ]),
      endpointSlices: new MemoryInformer([]),
      listen: [{ address: parseIp('127.0.0.1'), port }],
      upstreams: [`127.0.0.1:${upstreamPort}`],
    }),
  );
  // "signed.test. IN DNSKEY 257 3 13 KEY ;…"
  const [, , , flags, protocol, algorithm, data] = readFileSync(join(directory, `${key}.key`), 'utf8').split(
    /\s+/,
  );
  writeFileSync(
    join(directory, 'anchor'),
    `trust-anchors { "signed.test." static-key ${flags} ${protocol} ${algorithm} "${data}"; };\n`,
  );
  const server = ['@127.0.0.1', '-p', String(port)];
  const delv = async (name: string, type: string, ...more: string[]) => {
    const anchor = ['-a', join(directory, 'anchor'), '+root=signed.test'];
    const { stdout: out, stderr } = await run('delv', [...server, ...anchor, ...more, name, type]);
    return out + stderr;
  };
  for (let tries = 0; ; tries++) {
    const answer = await run('dig', [
      '@127.0.0.1',
      '-p',
      String(upstreamPort),
      '+tries=1',
      'signed.test',
      'SOA',
    ]).catch(() => ({ stdout: '' }));
    if (answer.stdout.includes('status: NOERROR')) break;
    if (tries === 50) throw new Error('nsd does not answer');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const resources = stack.move();
  return {
    delv,
    dig: async (...args: string[]) => (await run('dig', [...server, ...args])).stdout,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function missingCommand(): Promise<string | undefined> {
  for (const command of ['nsd', 'ldns-signzone', 'delv', 'dig'])
    if (!(await run('which', [command]).catch(() => undefined))) return `${command} is not installed`;
  await run('ip', ['link', 'set', 'lo', 'up']);
  return undefined;
}

for (const denial of ['NSEC', 'NSEC3'] as const)
  test(`DNSSEC: a client behind this server validates answers and denials (${denial})`, async (t) => {
    const missing = await missingCommand();
    if (missing !== undefined) return t.skip(missing);
    await using zone = await signedZone(denial);
    // Twice: from the upstream, and from the cache.
    for (let twice = 0; twice < 2; twice++) {
      for (const [name, type, expected] of [
        ['www.signed.test', 'A', /192\.0\.2\.1[\s\S]*RRSIG\tA /],
        ['www.signed.test', 'AAAA', /2001:db8::1/],
        ['www.signed.test', 'TYPE65', /\tHTTPS\t1 \. alpn="h2"|\tTYPE65\t/],
        ['signed.test', 'MX', /10 www\.signed\.test\./],
        ['signed.test', 'DNSKEY', /DNSKEY\t257 3 13/],
        ['alias.signed.test', 'A', /CNAME\twww[\s\S]*RRSIG\tCNAME[\s\S]*192\.0\.2\.1/],
        ['x.any.signed.test', 'A', /192\.0\.2\.3/],
        ['a.tree.signed.test', 'A', /DNAME[\s\S]*192\.0\.2\.4/],
      ] as const) {
        const answer = await zone.delv(name, type);
        assert.match(answer, /; fully validated/, `${name} ${type}: ${answer}`);
        assert.doesNotMatch(answer, /unsigned answer/, `${name} ${type}`);
        assert.match(answer, expected);
      }
      for (const [name, type, result] of [
        ['none.signed.test', 'A', 'ncache nxdomain'],
        ['www.signed.test', 'TXT', 'ncache nxrrset'],
      ] as const) {
        const answer = await zone.delv(name, type);
        assert.ok(answer.includes(result) && answer.includes('; negative response, fully validated'), answer);
      }
    }
    // Signatures are for those who ask for them.
    assert.doesNotMatch(await zone.dig('www.signed.test'), /RRSIG/);
    assert.match(await zone.dig('+dnssec', 'www.signed.test'), /flags:[^;]*; udp[\s\S]*RRSIG/);
    assert.match(await zone.dig('+dnssec', 'out.default.svc.cluster.local'), /CNAME\twww[\s\S]*RRSIG/);
  });
