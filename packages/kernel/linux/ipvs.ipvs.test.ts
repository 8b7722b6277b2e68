import assert from 'node:assert/strict';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { hostPrefix, parseIp as ip } from '#ip';
import type { IpvsDestinationSpec, IpvsService } from '../ports/ipvs.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { bindIn } from './bind-in.ts';
import { connectIn } from './connect-in.ts';
import { linuxKernel } from './kernel.ts';

/** What the port claims, seen with packets: a client and its balancer in one namespace, two servers in another. */
describe('IPVS traffic', () => {
  const kernel = linuxKernel();
  const web: IpvsService = {
    ...{ address: ip('10.96.0.1'), port: 80, protocol: 'TCP', scheduler: 'rr', persistentSeconds: undefined },
  };
  const servers = [ip('10.0.0.2'), ip('10.0.0.3')].map(
    (address): IpvsDestinationSpec => ({ address, port: 8080, weight: 1, forwarding: 'masquerade' }),
  );
  const [first, second] = servers as [IpvsDestinationSpec, IpvsDestinationSpec];
  let node: NetworkNamespace;
  let pods: NetworkNamespace;
  const listening: (Server | UdpSocket)[] = [];

  before(() => {
    node = kernel.createNetns('/run/netns/ipvs-node');
    pods = kernel.createNetns('/run/netns/ipvs-pods');
    node.links.add({ kind: 'veth', name: 'eth0', up: true, peer: { name: 'eth0', up: true, netns: pods } });
    node.addresses.add({ link: 'eth0', address: ip('10.0.0.1'), prefixLength: 24 });
    node.links.set('lo', { up: true });
    node.addresses.add({ link: 'lo', address: web.address, prefixLength: 32 });
    for (const { address, port } of servers) {
      pods.addresses.add({ link: 'eth0', address, prefixLength: 24 });
      const tcp = createServer((socket) => socket.write(address));
      tcp.listen({ fd: bindIn(pods, { protocol: 'tcp', address, port }) });
      const udp = createSocket('udp4');
      udp.on('message', (_, from) => udp.send(address, from.port, from.address));
      udp.bind({ fd: bindIn(pods, { protocol: 'udp', address, port }) });
      listening.push(tcp, udp);
    }
    // A client of the node's own takes the Service's address as its source.
    pods.routes.add({ destination: hostPrefix(web.address), gateway: ip('10.0.0.1') });
  });
  after(() => {
    for (const server of listening) server.close();
    for (const [netns, name] of [
      [node, 'ipvs-node'],
      [pods, 'ipvs-pods'],
    ] as const) {
      netns[Symbol.dispose]();
      kernel.deleteNetns(`/run/netns/${name}`);
    }
  });
  const open: Socket[] = [];
  beforeEach(() => node.ipvs.flush());
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy();
  });

  /** A new connection to the Service: who answers. It stays open. */
  async function ask(): Promise<string> {
    const socket = await connectIn(node, web.address, web.port, { signal: AbortSignal.timeout(5000) });
    open.push(socket);
    const [answer] = await once(socket, 'data');
    return String(answer);
  }
  const balance = (service: IpvsService) =>
    node.ipvs.change([
      { op: 'add-service', service },
      ...servers.map((destination) => ({ op: 'add-destination', service, destination }) as const),
    ]);

  test('connections are spread, counted and listed', async () => {
    balance(web);
    const answers = [await ask(), await ask(), await ask(), await ask()];
    assert.deepEqual(answers.sort(), [first.address, first.address, second.address, second.address]);
    for (const { activeConnections } of node.ipvs.listDestinations(web)) assert.equal(activeConnections, 2);
    const connections = await node.ipvs.connections({ service: web, destination: first });
    assert.deepEqual(
      connections.map(({ client, state }) => [client, state]),
      Array(2).fill(['10.96.0.1', 'ESTABLISHED']),
    );
    assert.ok(connections.every(({ clientPort, timeout }) => clientPort > 0 && timeout > 0));
    assert.deepEqual(await pods.ipvs.connections(), []);
    assert.deepEqual(await node.ipvs.connections({ service: { ...web, port: 81 } }), []);
  });
  test('weight 0: no new connections, those that are there go on', async () => {
    balance(web);
    node.ipvs.setDestination(web, { ...second, weight: 0 });
    assert.equal(await ask(), first.address);
    node.ipvs.setDestination(web, { ...first, weight: 0 });
    node.ipvs.setDestination(web, second);
    assert.deepEqual([await ask(), await ask()], [second.address, second.address]);
    const [old] = open;
    assert.ok(old?.readable && old.writable && !old.destroyed);
    const [drained] = node.ipvs.listDestinations(web).filter(({ address }) => address === first.address);
    assert.deepEqual([drained?.weight, drained?.activeConnections], [0, 1]);
  });
  test('persistence: a client stays with its destination, and a template says so', async () => {
    balance({ ...web, persistentSeconds: 60 });
    const answers = new Set([await ask(), await ask(), await ask()]);
    assert.equal(answers.size, 1);
    const templates = (await node.ipvs.connections({ service: web })).filter(
      ({ clientPort }) => clientPort === 0,
    );
    assert.deepEqual(
      templates.map(({ client, destination }) => [client, destination.address]),
      [['10.96.0.1', [...answers][0]]],
    );
    assert.deepEqual(
      node.ipvs
        .listDestinations(web)
        .map(({ persistentConnections }) => persistentConnections)
        .sort(),
      [0, 1],
    );
  });
  test('without destinations, and after its end, a Service refuses', async () => {
    balance(web);
    for (const { address, port } of servers) node.ipvs.deleteDestination(web, { address, port });
    await assert.rejects(ask(), { errno: 'ECONNREFUSED' });
    node.ipvs.deleteService(web);
    await assert.rejects(ask(), { errno: 'ECONNREFUSED' });
  });
  test('one packet: every UDP packet of one socket is scheduled by itself', async () => {
    const dns: IpvsService = { ...web, protocol: 'UDP', onePacket: true };
    balance(dns);
    const client = createSocket('udp4');
    client.bind({ fd: bindIn(node, { protocol: 'udp', address: ip('10.0.0.1'), port: 0 }) });
    const answers = new Set<string>();
    for (let i = 0; i < 4; i++) {
      client.send('x', dns.port, dns.address);
      const [answer] = await once(client, 'message', { signal: AbortSignal.timeout(5000) });
      answers.add(String(answer));
    }
    client.close();
    assert.deepEqual(
      [...answers].sort(),
      servers.map(({ address }) => address),
    );
  });
});
