import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { parseIp, parsePrefix } from '#ip';
import { sandboxedKernel } from '#kernel';
import { MemoryInformer } from '#kube-client';
import { endpoint, service, slice } from '../fixtures/objects.ts';
import { podResolvConf } from '../resolv-conf.ts';
import { createDnsServer, type DnsServer } from './dns-server.ts';

/** The resolvers that Pods have, each against the real server, through the resolv.conf that a Pod gets. */

const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), 'podway-dns-clients-'));
let server: DnsServer | undefined;

/** A command's output and exit status; undefined when this machine does not have the command. */
async function output(
  command: string,
  args: readonly string[],
): Promise<{ text: string; status: number } | undefined> {
  try {
    const { stdout } = await run(command, args, { timeout: 60_000 });
    return { text: stdout, status: 0 };
  } catch (error) {
    const failure = error as { readonly code?: unknown; readonly stdout?: string };
    if (failure.code === 'ENOENT') return undefined;
    return { text: failure.stdout ?? '', status: Number(failure.code) };
  }
}

before(async () => {
  sandboxedKernel();
  // glibc asks only for the families that a link other than loopback has.
  for (const command of [
    'link set lo up',
    'link add pod0 type veth peer name pod1',
    'link set pod1 up',
    'link set pod0 up',
    'address add 192.0.2.1/24 dev pod0',
    'address add 2001:db8::1/64 dev pod0 nodad',
  ])
    await run('ip', command.split(' '));
  const pets = Array.from({ length: 300 }, (_, i) => endpoint(`10.244.${i >> 8}.${i & 255}`));
  const herd = Array.from({ length: 400 }, (_, i) => endpoint(`10.245.${i >> 8}.${i & 255}`));
  server = await createDnsServer({
    services: new MemoryInformer([
      service('default/kubernetes', {
        clusterIPs: ['10.96.0.1', 'fd00:96::1'],
        ports: [{ name: 'https', port: 443 }],
      }),
      service('shop/web', { clusterIP: '10.96.0.80' }),
      service('shop/pets', { clusterIP: 'None' }),
      service('shop/herd', { clusterIP: 'None' }),
      service('shop/out', { type: 'ExternalName', externalName: 'kubernetes.default.svc.cluster.local' }),
    ]),
    endpointSlices: new MemoryInformer([
      slice('shop/pets-1', 'pets', pets),
      slice('shop/herd-1', 'herd', herd),
    ]),
    listen: [
      { address: parseIp('127.0.0.1'), port: 53 },
      { address: parseIp('::1'), port: 53 },
    ],
    reversePrefixes: [parsePrefix('10.96.0.0/16'), parsePrefix('fd00:96::/112')],
    transferTo: [parsePrefix('127.0.0.1/32')],
  });
  const { text } = podResolvConf('ClusterFirst', undefined, {
    clusterDns: ['127.0.0.1'],
    clusterDomain: 'cluster.local',
    namespace: 'shop',
    nodeResolvConf: '',
  });
  writeFileSync(join(directory, 'resolv.conf'), text);
  await run('mount', ['--bind', join(directory, 'resolv.conf'), '/etc/resolv.conf']);
});

after(async () => {
  if (server !== undefined) await run('umount', ['/etc/resolv.conf']);
  await server?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

test('glibc: getent finds Services by short, half and whole names, in both families', async () => {
  for (const name of ['web', 'web.shop', 'web.shop.svc', 'web.shop.svc.cluster.local'])
    assert.match((await output('getent', ['ahostsv4', name]))?.text ?? '', /^10\.96\.0\.80 /, name);
  const both = (await output('getent', ['ahosts', 'kubernetes.default']))?.text ?? '';
  assert.match(both, /10\.96\.0\.1 /);
  assert.match(both, /fd00:96::1 /);
  assert.match((await output('getent', ['ahostsv4', 'out']))?.text ?? '', /10\.96\.0\.1 /);
});

test('glibc: reverse names, and a clean no for what is not', async () => {
  assert.match(
    (await output('getent', ['hosts', '10.96.0.80']))?.text ?? '',
    /web\.shop\.svc\.cluster\.local/,
  );
  assert.match((await output('getent', ['hosts', 'fd00:96::1']))?.text ?? '', /kubernetes\.default\.svc/);
  assert.equal((await output('getent', ['ahostsv4', 'nothing.example.com']))?.status, 2);
});

test('glibc: 300 endpoints come whole, over TCP', async () => {
  const { text = '' } = (await output('getent', ['ahostsv4', 'pets'])) ?? {};
  assert.equal(new Set(text.split('\n').flatMap((line) => line.split(' ')[0] || [])).size, 300);
});

/** getaddrinfo of the C library it is linked with: addresses, one a line, else the error's text and status 1. */
const LOOKUP_C = `
  #include <arpa/inet.h>
  #include <netdb.h>
  #include <stdio.h>
  #include <string.h>
  int main(int argc, char **argv) {
    struct addrinfo hints, *list = 0, *each;
    char text[64];
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    int error = getaddrinfo(argv[1], 0, &hints, &list);
    if (error) return puts(gai_strerror(error)), 1;
    for (each = list; each; each = each->ai_next) {
      void *address = each->ai_family == AF_INET
        ? (void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr
        : (void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr;
      puts(inet_ntop(each->ai_family, address, text, sizeof text));
    }
    return 0;
  }
`;

/** A static program with musl's resolver, Alpine's, made by the small compiler; undefined where one of the two is missing. */
async function muslLookup(): Promise<string | undefined> {
  const library = '/usr/lib/x86_64-linux-musl';
  const program = join(directory, 'lookup');
  writeFileSync(`${program}.c`, LOOKUP_C);
  const made = await output('tcc', [
    ...['-static', '-nostdlib', '-nostdinc', '-I/usr/include/x86_64-linux-musl', '-o', program],
    ...[`${library}/crt1.o`, `${library}/crti.o`, `${program}.c`, `${library}/libc.a`, `${library}/crtn.o`],
  ]);
  return made?.status === 0 ? program : undefined;
}

test('musl: search list, both families at once, a long answer, and what is not', async (t) => {
  const program = await muslLookup();
  if (program === undefined) return t.skip('tcc or musl-dev is not installed');
  const lookup = async (name: string) => {
    const found = await output(program, [name]);
    return found?.status === 0 ? found.text.trim().split('\n').sort() : found?.text.trim();
  };
  for (const name of ['web', 'web.shop', 'web.shop.svc', 'web.shop.svc.cluster.local'])
    assert.deepEqual(await lookup(name), ['10.96.0.80'], name);
  assert.deepEqual(await lookup('kubernetes.default'), ['10.96.0.1', 'fd00:96::1']);
  assert.deepEqual(await lookup('out'), ['10.96.0.1', 'fd00:96::1']);
  // Of its 48 addresses' room it fills what one UDP answer, or since 1.2.4 one over TCP, brings: all right ones, and many.
  const many = await lookup('pets');
  assert.ok(Array.isArray(many) && many.length > 25, `${many}`);
  assert.ok(many.every((address) => address.startsWith('10.244.')));
  // Neither a denied name nor one without addresses is "Try again". musl tells them apart since 1.2.4.
  assert.equal(await lookup('nothing.example.com'), 'Name does not resolve');
  assert.match(
    String(await lookup('shop.svc.cluster.local.')),
    /^Name (does not resolve|has no usable address)$/,
  );
});

test('dig: flags, sections, status, EDNS and TCP', async (t) => {
  const name = 'kubernetes.default.svc.cluster.local';
  const answer = await output('dig', [name, 'A']);
  if (answer === undefined) return t.skip('dig is not installed');
  assert.match(answer.text, /status: NOERROR/);
  assert.match(answer.text, /flags: qr aa rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1/);
  assert.match(answer.text, /EDNS: version: 0, flags:; udp: 1232/);
  assert.doesNotMatch(answer.text, /malformed|parser|extra bytes/i);
  const dig = async (...args: string[]) => (await output('dig', args))?.text ?? '';
  assert.match(
    await dig('nope.default.svc.cluster.local'),
    /status: NXDOMAIN[\s\S]*AUTHORITY: 1[\s\S]*\tSOA\tns\.dns/,
  );
  assert.equal(await dig('+short', '@::1', `_https._tcp.${name}`, 'SRV'), `0 100 443 ${name}.\n`);
  assert.equal(await dig('+short', '+tcp', '-x', '10.96.0.1'), `${name}.\n`);
  assert.equal(await dig('+short', 'dns-version.cluster.local', 'TXT'), '"1.1.0"\n');
  assert.match(await dig('+noedns', '+ignore', 'pets.shop.svc.cluster.local'), /flags: qr aa tc rd ra/);
  assert.match(await dig('+edns=1', '+noednsneg', name), /status: BADVERS/);
  assert.match(await dig('+tcp', 'pets.shop.svc.cluster.local'), /ANSWER: 300,/);
  assert.match(await dig(name, 'TYPE65'), /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/);
});

test('dig: transfers the zone, from the address that may', async (t) => {
  const transfer = await output('dig', ['@127.0.0.1', '+onesoa', 'cluster.local', 'AXFR']);
  if (transfer === undefined) return t.skip('dig is not installed');
  const size = (text: string) => /XFR size: [^,]*/.exec(text)?.[0];
  // SOA twice, NS, version, ns in both families; web, out, kubernetes in both families and its port; 300 pets and a herd of 400, twice.
  assert.equal(size(transfer.text), 'XFR size: 1411 records (messages 2');
  for (const line of [
    /^cluster\.local\.\t+5\tIN\tSOA\tns\.dns\.cluster\.local\. hostmaster/m,
    /^dns-version\.cluster\.local\.\s+5\s+IN\s+TXT\s+"1\.1\.0"/m,
    /^_https\._tcp\.kubernetes\.default\.svc\.cluster\.local\.\s+5\s+IN\s+SRV\s+0 100 443 kubernetes/m,
    /^out\.shop\.svc\.cluster\.local\.\s+5\s+IN\s+CNAME\s+kubernetes/m,
    /^10-244-1-43\.pets\.shop\.svc\.cluster\.local\.\s+5\s+IN\s+A\s+10\.244\.1\.43/m,
  ])
    assert.match(transfer.text, line);
  const dig = async (...args: string[]) => (await output('dig', args))?.text ?? '';
  assert.equal(size(await dig('@127.0.0.1', 'cluster.local', 'IXFR=1')), size(transfer.text));
  assert.match(await dig('@::1', 'cluster.local', 'AXFR'), /Transfer failed/);
  assert.match(await dig('@127.0.0.1', 'svc.cluster.local', 'AXFR'), /Transfer failed/);
});

test('drill: reads our answers', async (t) => {
  const answer = await output('drill', ['kubernetes.default.svc.cluster.local', 'AAAA']);
  if (answer === undefined) return t.skip('drill is not installed');
  assert.match(answer.text, /rcode: NOERROR[\s\S]*\tAAAA\tfd00:96::1/);
});

test('busybox: nslookup reads our answers', async (t) => {
  const answer = await output('busybox', ['nslookup', 'web.shop.svc.cluster.local', '127.0.0.1']);
  if (answer === undefined) return t.skip('busybox is not installed');
  assert.match(answer.text, /Address( 1)?: +10\.96\.0\.80/);
});

test('Node: its resolver reads our answers', async () => {
  const resolver = new Resolver({ timeout: 30_000 });
  resolver.setServers(['127.0.0.1']);
  assert.deepEqual(await resolver.resolve4('web.shop.svc.cluster.local'), ['10.96.0.80']);
  const [srv] = await resolver.resolveSrv('_https._tcp.kubernetes.default.svc.cluster.local');
  assert.deepEqual([srv?.name, srv?.port], ['kubernetes.default.svc.cluster.local', 443]);
  assert.deepEqual(await resolver.reverse('10.96.0.80'), ['web.shop.svc.cluster.local']);
  assert.equal((await resolver.resolve4('pets.shop.svc.cluster.local')).length, 300);
  await assert.rejects(resolver.resolve4('none.shop.svc.cluster.local'), { code: 'ENOTFOUND' });
  await assert.rejects(resolver.resolve6('web.shop.svc.cluster.local'), { code: 'ENODATA' });
});
