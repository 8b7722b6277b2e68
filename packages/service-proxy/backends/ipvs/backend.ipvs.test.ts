import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parseIp, parsePrefix } from '#ip';
import { bindIn, connectIn, type IpvsService, sandboxedKernel } from '#kernel';
import { FakeClock, silentLogger } from '#runtime';
import { AT_CLUSTER_IP, AT_NODE_PORT, type BehaviourState, place } from '../../behaviour/case.ts';
import {
  balancedService,
  CLUSTER_IP,
  EXTERNAL_ADDRESS,
  FACTS,
  NODE_ADDRESS,
  nodePortService,
  OTHER_CLUSTER_IP,
  OTHER_NODE_ADDRESS,
  PODS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
} from '../../behaviour/cluster.ts';
import { NamespaceLab } from '../../behaviour/namespace-lab.ts';
import { buildTable, diffTables, type ServiceTable } from '../../table/table.ts';
import { NftablesBackend } from '../nftables/backend.ts';
import { IpvsBackend } from './backend.ts';
import { DEFAULT_IPVS_OPTIONS, type IpvsOptions } from './options.ts';
import { VIP_LINK } from './virtual-addresses.ts';

const GRACE_MS = 15 * 60_000;
const HELD_PORT = 9_000;
const VIP: IpvsService = {
  ...{
    address: CLUSTER_IP,
    port: SERVICE_PORT,
    protocol: 'TCP',
    scheduler: 'rr',
    persistentSeconds: undefined,
  },
};

describe('IpvsBackend in the kernel', () => {
  const kernel = sandboxedKernel();
  const closers: (() => void)[] = [];
  let lab: NamespaceLab;
  let clock: FakeClock;
  let backend: IpvsBackend;
  let table: ServiceTable = buildTable([], [], FACTS);

  before(async () => {
    lab = new NamespaceLab(kernel);
    await lab.serve();
  });
  after(() => lab[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const close of closers.splice(0)) close();
    await backend.cleanup();
    await backend[Symbol.asyncDispose]();
  });

  const start = (options: Partial<IpvsOptions> = {}) => {
    clock = new FakeClock();
    const deps = { netns: lab.node, clock, logger: silentLogger };
    backend = new IpvsBackend(deps, { ...DEFAULT_IPVS_OPTIONS, ...options });
    table = buildTable([], [], FACTS);
  };
  const program = async (state: Pick<BehaviourState, 'services' | 'slices'>) => {
    const previous = table;
    table = buildTable(state.services, state.slices, FACTS);
    const changed = diffTables(previous, table).map((change) => change.service);
    return (await backend.apply(table, changed)).writes;
  };
  /** As {@link program}, by a process that finds what is there. */
  const restart = async (state: Pick<BehaviourState, 'services' | 'slices'>) => {
    await backend[Symbol.asyncDispose]();
    start();
    table = buildTable(state.services, state.slices, FACTS);
    await backend.observe();
    return (await backend.apply(table, [])).writes;
  };
  const weights = (of: IpvsService = VIP) =>
    Object.fromEntries(
      lab.node.ipvs
        .listDestinations(of)
        .map(({ address, weight }) => [
          Object.entries(PODS).find(([, pod]) => pod === address)?.[0] ?? address,
          weight,
        ]),
    );
  const bound = () => lab.node.addresses.list({ link: VIP_LINK }).map(({ address }) => address);
  const inPod = (pod: keyof typeof PODS) => kernel.openNetns(`/run/netns/behaviour-${pod}`);
  /** A server that repeats what it hears. */
  const echo = async (pod: keyof typeof PODS, address = PODS[pod], port = HELD_PORT): Promise<Server> => {
    using netns = inPod(pod);
    const server = createServer((socket) => {
      closers.push(() => socket.destroy());
      socket.on('error', () => {}).pipe(socket);
    });
    server.listen({ fd: bindIn(netns, { protocol: 'tcp', address, port }) });
    await once(server, 'listening');
    closers.push(() => server.close());
    return server;
  };
  const hold = async (): Promise<Socket> => {
    using netns = inPod('a');
    const socket = await connectIn(netns, CLUSTER_IP, SERVICE_PORT, { signal: AbortSignal.timeout(5_000) });
    socket.on('error', () => {});
    closers.push(() => socket.destroy());
    assert.equal(await says(socket, 'hello'), 'hello');
    return socket;
  };
  const says = async (socket: Socket, words: string) => {
    const answer = once(socket, 'data', { signal: AbortSignal.timeout(5_000) });
    socket.write(words);
    return String((await answer)[0]);
  };
  /** Whether the next words on it are answered with an end. */
  const ends = (socket: Socket) =>
    new Promise<boolean>((resolve) => {
      socket.once('close', () => resolve(true)).write('anyone?');
      setTimeout(resolve, 10_000, false).unref();
    });
  const held = [{ name: 'main', port: HELD_PORT, protocol: 'TCP' }];

  test('a connection goes on when its endpoint leaves, which takes no new ones, and ends with the grace period', async () => {
    start();
    await echo('b');
    await program({ services: [service()], slices: [slice(['b'], { ports: held })] });
    const connection = await hold();
    await program({ services: [service()], slices: [slice(['c'])] });
    assert.deepEqual(weights(), { b: 0, c: 1 });
    for (let i = 0; i < 4; i++) assert.equal(await lab.attempt('a', AT_CLUSTER_IP), 'c kept');
    clock.advance(GRACE_MS / 2);
    assert.equal(await says(connection, 'still there'), 'still there');
    clock.advance(GRACE_MS / 2 + 5_000);
    assert.deepEqual(weights(), { c: 1 });
    assert.equal(await ends(connection), true);
  });

  test('an endpoint that has drained goes with its last connection, and its server with it', async () => {
    start();
    await echo('b');
    await program({ services: [service()], slices: [slice(['b'], { ports: held })] });
    const connection = await hold();
    await program({ services: [service()], slices: [] });
    assert.deepEqual(weights(), { b: 0 });
    assert.equal(await lab.attempt('a', AT_CLUSTER_IP), 'refused');
    assert.equal(await says(connection, 'still there'), 'still there');
    connection.resetAndDestroy();
    // The kernel forgets a reset connection after ten seconds.
    for (let i = 0; i < 150 && (await lab.node.ipvs.listServices()).length > 0; i++) {
      clock.advance(5_000);
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (i < 20) assert.ok(clock.now() < GRACE_MS);
    }
    assert.deepEqual(await lab.node.ipvs.listServices(), []);
  });

  test('a restart goes on draining, writes nothing, and gives an endpoint that is back its weight', async () => {
    start();
    await echo('b');
    await program({ services: [service()], slices: [slice(['b'], { ports: held })] });
    const connection = await hold();
    await program({ services: [service()], slices: [slice(['c'])] });
    assert.equal(await restart({ services: [service()], slices: [slice(['c'])] }), 0);
    assert.deepEqual(weights(), { b: 0, c: 1 });
    assert.equal(
      await restart({
        services: [service()],
        slices: [slice(['b'], { ports: held }), slice(['c'], { name: 'web-2' })],
      }),
      2,
    );
    assert.deepEqual(weights(), { b: 1, c: 1 });
    assert.equal(await says(connection, 'still there'), 'still there');
    clock.advance(2 * GRACE_MS);
    assert.deepEqual(weights(), { b: 1, c: 1 });
  });

  test('what others change is noticed and put right', async () => {
    start();
    const state = { services: [balancedService()], slices: [slice(['b', 'c'])] };
    await program(state);
    assert.equal(await backend.intact(), true);
    const { ipvs, addresses, links } = lab.node;
    const b = { address: PODS.b, port: TARGET_PORT };
    for (const harm of [
      () => ipvs.deleteDestination(VIP, b),
      () => ipvs.setDestination(VIP, { ...b, weight: 0, forwarding: 'masquerade' }),
      () => ipvs.deleteService(VIP),
      () => ipvs.setService({ ...VIP, scheduler: 'wlc' }),
      () => addresses.delete({ link: VIP_LINK, address: EXTERNAL_ADDRESS, prefixLength: 32 }),
      () => links.delete(VIP_LINK),
      () => links.set(VIP_LINK, { up: true }),
      () => links.set(VIP_LINK, { name: 'renamed' }),
      () => lab.node.sysctl.set('net.ipv4.vs.conntrack', '0'),
      () => lab.node.sysctl.set('net.ipv4.ip_forward', '0'),
      () => lab.node.nft.run('flush ruleset\n'),
    ]) {
      await harm();
      assert.equal(await backend.intact(), false, String(harm));
      await backend.observe();
      await backend.apply(table, []);
      assert.equal(await backend.intact(), true, String(harm));
      assert.deepEqual(weights(), { b: 1, c: 1 });
      assert.deepEqual(bound().sort(), [CLUSTER_IP, EXTERNAL_ADDRESS].sort());
    }
    assert.equal(links.get('renamed'), undefined);
    // Something else may bring a run before anyone has looked.
    links.delete(VIP_LINK);
    await backend.apply(table, []);
    assert.deepEqual(bound().sort(), [CLUSTER_IP, EXTERNAL_ADDRESS].sort());
    assert.equal(await restart(state), 0);
  });

  test('others’ virtual servers and addresses are left alone; cleanup removes ours', async () => {
    start();
    const other: IpvsService = { ...VIP, address: NODE_ADDRESS, port: 9 };
    lab.node.ipvs.addService(other);
    lab.node.ipvs.addService({ ...other, address: parseIp('0.0.0.0'), port: 0, mark: 9 });
    await program({
      services: [balancedService({ externalTrafficPolicy: 'Local' })],
      slices: [slice(['b', 'c'])],
    });
    assert.equal((await lab.node.ipvs.listServices()).length, 2 + 3 + 2);
    await restart({ services: [], slices: [] });
    assert.equal((await lab.node.ipvs.listServices()).length, 2);
    assert.deepEqual(bound(), []);
    await backend.cleanup();
    assert.equal((await lab.node.ipvs.listServices()).length, 2);
    assert.equal(lab.node.links.get(VIP_LINK), undefined);
    assert.deepEqual(await lab.node.nft.listTables(), []);
    lab.node.ipvs.flush();
  });

  test('an address of the Services that is the node’s own is not bound, and its other ports are the node’s', async () => {
    start();
    await program({ services: [service({ externalIPs: [NODE_ADDRESS] })], slices: [slice(['b'])] });
    assert.deepEqual(bound(), [CLUSTER_IP]);
    assert.equal(await lab.attempt('outside', place(NODE_ADDRESS, SERVICE_PORT)), 'b replaced');
    const server = createServer((socket) => socket.end('node x'));
    server.listen({ fd: bindIn(lab.node, { protocol: 'tcp', address: NODE_ADDRESS, port: 81 }) });
    closers.push(() => server.close());
    await once(server, 'listening');
    assert.match(await lab.attempt('outside', place(NODE_ADDRESS, 81)), /^node/);
    // What listens on every address of the node is not to be had by a Service's.
    const open = createServer((socket) => socket.end('node x'));
    open.listen({ fd: bindIn(lab.node, { protocol: 'tcp', address: parseIp('0.0.0.0'), port: 82 }) });
    closers.push(() => open.close());
    await once(open, 'listening');
    assert.equal(await lab.attempt('a', place(CLUSTER_IP, 82)), 'refused');
    assert.equal(await lab.attempt('node', place(CLUSTER_IP, 82)), 'refused');
  });

  test('another node’s address stays that node’s: its other ports can be reached, and the Service is left to it', async () => {
    start();
    const state = [[balancedService({ externalIPs: [OTHER_NODE_ADDRESS] })], [slice(['b'])], FACTS] as const;
    await backend.apply(buildTable(...state, { node2: [OTHER_NODE_ADDRESS] }), []);
    assert.deepEqual(bound(), [CLUSTER_IP, EXTERNAL_ADDRESS]);
    const another = place(OTHER_NODE_ADDRESS, TARGET_PORT);
    assert.deepEqual(
      [await lab.attempt('a', another), await lab.attempt('node', another)],
      ['there kept', 'there'],
    );
    // Until the node has come, nobody else is known to have the address; then it is given back.
    await backend.apply(buildTable(...state), ['default/web']);
    assert.deepEqual(bound().sort(), [CLUSTER_IP, OTHER_NODE_ADDRESS, EXTERNAL_ADDRESS]);
    await backend.apply(buildTable(...state, { node2: [OTHER_NODE_ADDRESS] }), ['default/web']);
    assert.deepEqual(bound(), [CLUSTER_IP, EXTERNAL_ADDRESS]);
    assert.equal(await lab.attempt('a', another), 'there kept');
  });

  test('a hostPort takes the port on the node’s addresses, and on no VIP', async () => {
    start();
    // As for portmap (at -100) and for Podway's own plugin.
    const chains = ['prerouting', 'output'].map(
      (hook) => `chain ${hook} { type nat hook ${hook} priority -105; policy accept;
        fib daddr type local tcp dport ${SERVICE_PORT} dnat ip to ${PODS.b}:${TARGET_PORT}; }`,
    );
    await lab.node.nft.run(`table ip hostports {\n${chains.join('\n')}\n}\n`);
    closers.push(() => void lab.node.nft.run('delete table ip hostports\n'));
    await program({ services: [balancedService()], slices: [slice(['c'])] });
    for (const [from, seen] of [
      ['a', 'c kept'],
      ['node', 'c'],
      ['outside', 'c replaced'],
    ] as const) {
      if (from !== 'outside') assert.equal(await lab.attempt(from, AT_CLUSTER_IP), seen, from);
      const balancer = await lab.attempt(from, place(EXTERNAL_ADDRESS, SERVICE_PORT));
      assert.equal(balancer, seen, `${from} to the load balancer`);
    }
    assert.match(await lab.attempt('outside', place(NODE_ADDRESS, SERVICE_PORT)), /^b/);
    assert.equal(await backend.intact(), true);
    assert.equal(await restart({ services: [balancedService()], slices: [slice(['c'])] }), 0);
  });

  test('a node whose IPv6 is switched off carries the other family', async () => {
    start();
    const switchIpv6 = (value: string) => lab.node.sysctl.set('net.ipv6.conf.all.disable_ipv6', value);
    switchIpv6('1');
    await program({
      services: [service({ clusterIPs: [CLUSTER_IP, 'fd00:96::51'] })],
      slices: [slice(['b']), slice([{ addresses: ['fd00:1::11'] }], { name: 'web-6', addressType: 'IPv6' })],
    });
    assert.deepEqual(bound(), [CLUSTER_IP]);
    assert.equal(await lab.attempt('a', AT_CLUSTER_IP), 'b kept');
    assert.equal(await backend.intact(), true);
    switchIpv6('0');
  });

  test('an IPv6 address is bound although new links have IPv6 switched off, and is no source of the node’s', async () => {
    start();
    const vip = parseIp('fd00:96::51');
    lab.node.sysctl.set('net.ipv6.conf.default.disable_ipv6', '1');
    const facts = { ...FACTS, serviceCIDRs: [...FACTS.serviceCIDRs, parsePrefix('fd00:96::/108')] };
    await backend.apply(buildTable([service({ clusterIPs: [CLUSTER_IP, vip] })], [], facts), []);
    lab.node.sysctl.set('net.ipv6.conf.default.disable_ipv6', '0');
    assert.deepEqual(bound(), [CLUSTER_IP, vip]);
    const [listed] = lab.node.addresses.list({ link: VIP_LINK, family: 'IPv6' });
    assert.equal(listed?.deprecated, true);
  });

  test('a NodePort on 127.0.0.1 is refused: IPVS would drop it', async () => {
    start();
    const at = parseIp('127.0.0.1');
    const facts = { ...FACTS, nodePortAddresses: [NODE_ADDRESS, at] };
    await backend.apply(buildTable([nodePortService()], [slice(['b'])], facts), []);
    assert.equal(await lab.attempt('node', place(at, AT_NODE_PORT.port)), 'refused');
    assert.equal(await lab.attempt('node', AT_NODE_PORT), 'b');
    assert.equal(await backend.intact(), true);
  });

  test('every scheduler serves, for the node and for one Service', async () => {
    for (const scheduler of [
      'rr',
      'wrr',
      'lc',
      'wlc',
      'lblc',
      'lblcr',
      'sh',
      'dh',
      'sed',
      'nq',
      'mh',
    ] as const) {
      start({ scheduler });
      const annotations = { 'podway.io/ipvs-scheduler': 'wlc' };
      const other = service({ clusterIPs: [OTHER_CLUSTER_IP] }, { metadata: { name: 'other', annotations } });
      await program({
        services: [service(), other],
        slices: [slice(['b']), slice(['c'], { name: 'other-1', service: 'other' })],
      });
      assert.deepEqual(
        (await lab.node.ipvs.listServices()).map((one) => `${one.address} ${one.scheduler}`).sort(),
        [`${CLUSTER_IP} ${scheduler}`, `${OTHER_CLUSTER_IP} wlc`],
      );
      assert.equal(await lab.attempt('a', AT_CLUSTER_IP), 'b kept', scheduler);
      await program({ services: [service(), other], slices: [slice(['d'])] });
      assert.equal(await lab.attempt('a', AT_CLUSTER_IP), 'd kept', scheduler);
      await backend.cleanup();
    }
  });

  test('a client that uses its port again reaches a living endpoint at once', async () => {
    start();
    await program({ services: [service()], slices: [slice(['b'])] });
    const client = `require('net').connect({ host: '${CLUSTER_IP}', port: ${SERVICE_PORT}, localPort: 7777 })
      .on('data', (data) => process.stdout.write(String(data).slice(0, 1)))
      .on('error', (error) => process.stdout.write(error.code))
      .setTimeout(900, () => { process.stdout.write('silence'); process.exit(); })`;
    const attempt = async () => {
      const args = ['--net=/run/netns/behaviour-a', process.execPath, '-e', client];
      return (await promisify(execFile)('nsenter', args)).stdout;
    };
    assert.equal(await attempt(), 'b');
    assert.equal(await attempt(), 'b');
    await program({ services: [service()], slices: [slice(['c'])] });
    assert.equal(await attempt(), 'c');
    await program({ services: [service()], slices: [slice(['d'])] });
    assert.equal(await attempt(), 'd');
  });

  test('settings are set; strict ARP only where it is asked for', async () => {
    start();
    await program({ services: [service()], slices: [slice(['b'])] });
    const value = (key: string) => lab.node.sysctl.get(key);
    for (const name of ['conntrack', 'expire_nodest_conn', 'expire_quiescent_template', 'conn_reuse_mode'])
      assert.equal(value(`net.ipv4.vs.${name}`), '1', name);
    assert.equal(value('net.ipv4.conf.all.arp_ignore'), '0');
    await backend[Symbol.asyncDispose]();
    start({ strictArp: true, timeouts: { udp: 60 } });
    await program({ services: [service()], slices: [slice(['b'])] });
    assert.equal(value('net.ipv4.conf.all.arp_ignore'), '1');
    assert.equal(value('net.ipv4.conf.all.arp_announce'), '2');
    assert.equal(lab.node.ipvs.timeouts().udp, 60);
    lab.node.sysctl.set('net.ipv4.conf.all.arp_ignore', '0');
    lab.node.sysctl.set('net.ipv4.conf.all.arp_announce', '0');
  });

  test('probe: nothing is missing here, and nothing is left of the asking', async () => {
    start();
    assert.deepEqual(await backend.probe(), []);
    assert.deepEqual(await lab.node.ipvs.listServices(), []);
    assert.deepEqual(await lab.node.nft.listTables(), []);
  });

  test('retire: another mechanism serves new connections, established ones go on until the grace period is over', async () => {
    start();
    await echo('b');
    const state = { services: [nodePortService()], slices: [slice(['b'], { ports: held })] };
    await program(state);
    const connection = await hold();
    const nftables = new NftablesBackend(lab.node.nft);
    await nftables.apply(buildTable([nodePortService()], [slice(['c'])], FACTS), []);
    assert.equal(await backend.retire(nftables), false);
    assert.equal(await lab.attempt('a', AT_CLUSTER_IP), 'c kept');
    assert.equal(await lab.attempt('outside', AT_NODE_PORT), 'c replaced');
    assert.equal(await says(connection, 'still there'), 'still there');
    // A restart in the middle finds what is left.
    await backend[Symbol.asyncDispose]();
    start();
    await backend.observe();
    assert.equal(await backend.retire(nftables), false);
    assert.equal(await says(connection, 'still there'), 'still there');
    clock.advance(GRACE_MS + 5_000);
    assert.equal(await backend.retire(nftables), true);
    assert.deepEqual(await lab.node.ipvs.listServices(), []);
    assert.equal(lab.node.links.get(VIP_LINK), undefined);
    assert.equal(await ends(connection), true);
    assert.equal(await lab.attempt('a', AT_CLUSTER_IP), 'c kept');
    await nftables.cleanup();
  });

  test('a switch from nftables: no new connection fails, established ones go on', async () => {
    await echo('b');
    const nftables = new NftablesBackend(lab.node.nft);
    const state = { services: [service()], slices: [slice(['b'], { ports: held })] };
    await nftables.apply(buildTable(state.services, state.slices, FACTS), []);
    const connection = await hold();
    start();
    const both = [slice(['b'], { ports: held }), slice(['c'], { name: 'web-2' })];
    const outcomes: Promise<string>[] = [];
    const attempts = async () => {
      for (let i = 0; i < 40; i++) {
        const outcome = lab.attempt('node', place(OTHER_CLUSTER_IP, SERVICE_PORT));
        outcomes.push(outcome);
        await outcome;
      }
    };
    const other = service({ clusterIPs: [OTHER_CLUSTER_IP] }, { metadata: { name: 'other' } });
    const slices = [...both, slice(['d'], { name: 'other-1', service: 'other' })];
    await nftables.apply(buildTable([service(), other], slices, FACTS), ['default/web', 'default/other']);
    const trying = attempts();
    await program({ services: [service(), other], slices });
    await nftables.retire();
    await trying;
    assert.deepEqual([...new Set(await Promise.all(outcomes))], ['d']);
    assert.equal(await says(connection, 'still there'), 'still there');
  });

  test('direct routing: an endpoint of this link that holds the VIP gets packets as they are and answers by itself', async () => {
    start({ forwarding: 'direct' });
    const vip = { link: 'lo', address: EXTERNAL_ADDRESS, prefixLength: 32 };
    using pod = inPod('a');
    pod.addresses.add(vip);
    const seen: string[] = [];
    const server = await echo('a', EXTERNAL_ADDRESS, SERVICE_PORT);
    server.on('connection', ({ remoteAddress }) => void seen.push(remoteAddress ?? ''));
    const ports = [{ name: 'main', port: SERVICE_PORT, protocol: 'TCP' }];
    const services = [service({ externalIPs: [EXTERNAL_ADDRESS] })];
    const forwardings = () =>
      lab.node.ipvs
        .listDestinations({ ...VIP, address: EXTERNAL_ADDRESS })
        .filter(({ weight }) => weight > 0)
        .map(({ forwarding }) => forwarding);
    await program({ services, slices: [slice(['a'], { ports })] });
    assert.deepEqual(forwardings(), ['direct']);
    using client = inPod('b');
    const signal = AbortSignal.timeout(5_000);
    const socket = await connectIn(client, EXTERNAL_ADDRESS, SERVICE_PORT, { signal });
    assert.equal(await says(socket, 'direct'), 'direct');
    assert.deepEqual(seen, [PODS.b]);
    socket.destroy();
    // An endpoint behind a router, or another port: all of the Service is translated.
    await program({ services, slices: [slice(['a', 'c'], { ports })] });
    assert.deepEqual(forwardings(), ['masquerade', 'masquerade']);
    await program({ services, slices: [slice(['b'])] });
    assert.deepEqual(forwardings(), ['masquerade']);
    pod.addresses.delete(vip);
  });
});
