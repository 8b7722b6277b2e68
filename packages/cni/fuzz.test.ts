import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { parsePrefix } from '#ip';
import { fakeKernel } from '#kernel';
import { type Random, seededRandom, silentLogger, systemClock } from '#runtime';
import { addressRange } from './address-range.ts';
import { AttachmentStore } from './attachment-store.ts';
import { DataPath } from './data-path.ts';
import { CNI_CODES, CniError } from './errors.ts';
import { decodeRequest, encodeRequest, type Outcome } from './frame.ts';
import { HostPorts } from './host-ports.ts';
import { NodeAttachments } from './node-attachments.ts';
import { CniPlugin } from './plugin.ts';
import { CniServer } from './socket-server.ts';

/** More by `PODWAY_FUZZ=100000`: some ten seconds. */
const CASES = Number(process.env['PODWAY_FUZZ'] ?? 20_000);
const CONNECTIONS = 300;

/** The agent's side of a node without a single Pod namespace: ADD gets as far as opening one. */
function pluginOfFakeNode(store: AttachmentStore, state: 'ready' | 'without Pod CIDRs'): CniPlugin {
  const kernel = fakeKernel();
  const node = kernel.currentNetns();
  const common = { clock: systemClock, logger: silentLogger };
  const attachments = new NodeAttachments({
    store,
    dataPath: new DataPath(kernel, node),
    hostPorts: new HostPorts(node, []),
    ...common,
  });
  const ranges = ['10.0.0.0/28', 'fd00::/64'].map((cidr) => [addressRange(parsePrefix(cidr))]);
  if (state === 'ready') attachments.setNode({ ranges, mtu: 1500 });
  return new CniPlugin({ attachments, ...common });
}

const FULL = {
  cniVersion: '1.1.0',
  name: 'podway',
  type: 'podway',
  dns: { nameservers: ['10.0.0.1'], search: ['a.b'] },
  runtimeConfig: {
    portMappings: [{ hostPort: 80, containerPort: 80, protocol: 'tcp', hostIP: '10.0.0.1' }],
    bandwidth: { ingressRate: 1000, ingressBurst: 1000, egressRate: 0, egressBurst: 0 },
    ips: ['10.0.0.2/24', 'fd00::1'],
    mac: '02:00:00:00:00:01',
    dns: { servers: ['10.0.0.1'], searches: [], options: ['ndots:5'] },
  },
  prevResult: {
    cniVersion: '1.1.0',
    interfaces: [{ name: 'eth0', mac: '', sandbox: '/run/netns/a' }],
    ips: [{ address: '10.0.0.1/24', gateway: '10.0.0.254', interface: 0 }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.254' }],
    dns: {},
  },
  'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'eth0' }],
};
const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    0,
    -1,
    1e99,
    65536,
    '',
    'x',
    '..',
    '../x',
    '\0',
    '1.1.0',
    '0.0.0.0/0',
    '::',
    'é'.repeat(300),
  ],
  ...[[], {}, [[]], [null], { a: {} }, '9'.repeat(400), JSON.parse('{"__proto__": {"name": 1}}')],
];
const VARIABLES: readonly (readonly [string, readonly string[]])[] = [
  ['CNI_COMMAND', ['ADD', 'ADD', 'ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', '', 'add']],
  ['CNI_CONTAINERID', ['a', 'a', 'a', '', '../a', 'a/b', 'x'.repeat(300)]],
  ['CNI_NETNS', ['/run/netns/a', '/run/netns/a', '', 'a', '/../a']],
  ['CNI_IFNAME', ['eth0', 'eth0', 'eth0', '', 'eth0/', '.', 'a b', 'sixteen-letters-']],
  ['CNI_ARGS', ['', 'K8S_POD_NAMESPACE=a;K8S_POD_NAME=b', ';;', '=x', 'x']],
];

/** A request that is nearly right: values of the configuration replaced, then a few bytes of the frame. */
function damagedRequest(random: Random): Buffer {
  const below = (n: number) => Math.floor(random.next() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const config = structuredClone(FULL) as Record<string, unknown>;
  for (let changes = below(4); changes > 0; changes--) {
    let at = config;
    for (;;) {
      const key = pick(Object.keys(at));
      const inner = at[key];
      if (typeof inner !== 'object' || inner === null || Object.keys(inner).length === 0 || below(4) === 0) {
        at[key] = structuredClone(pick(VALUES));
        break;
      }
      at = inner as Record<string, unknown>;
    }
    if (Object.keys(config).length === 0) break;
  }
  const isRight = below(4) > 0;
  const environment = new Map(
    VARIABLES.map(([name, values]) => [
      name,
      isRight && name !== 'CNI_COMMAND' ? (values[0] ?? '') : pick(values),
    ]),
  );
  let bytes = encodeRequest({ environment, input: JSON.stringify(config) });
  if (below(3) === 0) {
    for (let damage = 1 + below(4); damage > 0; damage--) bytes[below(bytes.length)] = below(256);
    if (below(3) === 0) bytes = bytes.subarray(0, below(bytes.length));
  }
  return bytes;
}

const KNOWN_CODES: readonly number[] = Object.values(CNI_CODES).filter((code) => code !== CNI_CODES.internal);

/** Its error code, 0 for success. Fails for anything that the specification does not know. */
function codeOf({ exitStatus, output }: Outcome, what: string): number {
  if (exitStatus === 0) return 0;
  const { code, msg } = JSON.parse(output) as { readonly code: number; readonly msg: string };
  assert.ok(KNOWN_CODES.includes(code) && msg !== '', `${what}: ${output}`);
  return code;
}

test(`fuzz: ${CASES} damaged requests get an answer or a typed error, and change nothing`, async (t) => {
  using store = new AttachmentStore(':memory:');
  const plugins = [pluginOfFakeNode(store, 'ready'), pluginOfFakeNode(store, 'without Pod CIDRs')];
  const random = seededRandom(20261123);
  const codes = new Map<number, number>();
  for (let i = 0; i < CASES; i++) {
    const bytes = damagedRequest(random);
    let code: number;
    try {
      const outcome = await plugins[i % 2]?.execute(decodeRequest(bytes));
      assert.ok(outcome);
      code = codeOf(outcome, bytes.toString('latin1'));
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      code = error.cniCode;
    }
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  assert.equal(store.count(), 0);
  const figures = [...codes].sort(([a], [b]) => a - b).map(([code, n]) => `${code}: ${n}`);
  t.diagnostic(`${CASES} cases, by error code (0 is success): ${figures.join(', ')}`);
  // Every kind of failure is reached, or the damage is not what it should be.
  for (const code of [0, 1, 3, 4, 6, 7, 11, 50]) assert.ok(codes.has(code), `no case ended with ${code}`);
});

test(`fuzz: ${CONNECTIONS} connections that send damage, or go away, leave the server serving`, async () => {
  const dir = mkdtempSync('/tmp/cni-fuzz-');
  using store = new AttachmentStore(':memory:');
  const plugin = pluginOfFakeNode(store, 'ready');
  const deps = { execute: plugin.execute.bind(plugin), clock: systemClock, logger: silentLogger };
  const path = join(dir, 'agent.sock');
  const server = await CniServer.listen(deps, path);
  const random = seededRandom(7);
  const ask = async (bytes: Uint8Array, leave: boolean) => {
    const socket = connect({ path, allowHalfOpen: true });
    if (leave) {
      socket.write(bytes, () => socket.destroy());
      return undefined;
    }
    socket.end(bytes);
    return await buffer(socket);
  };
  for (let i = 0; i < CONNECTIONS; i++) {
    const answer = await ask(damagedRequest(random), random.next() < 0.2);
    if (answer === undefined) continue;
    const exitStatus = answer.toString('latin1', 0, 1) === '0' ? 0 : 1;
    codeOf({ exitStatus, output: answer.toString('utf8', 1) }, `connection ${i}`);
  }
  const version = encodeRequest({ environment: new Map([['CNI_COMMAND', 'VERSION']]), input: '{}' });
  assert.match(String(await ask(version, false)), /^0.*supportedVersions/);
  await server[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});
