import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { parsePrefix } from '#ip';
import { type Kernel, type NetworkNamespace, ROUTE_PROTOCOL_PODWAY } from '#kernel';
import type { Node } from '#kube-api';
import { createLogger } from '#runtime';
import { formatOperation } from './diff.ts';
import { hostGw } from './host-gw.ts';
import { PodNetwork, removePodNetwork } from './pod-network.ts';

const PATH = '/run/netns/pod-network';

function node(name: string, address: string, ...podCIDRs: readonly string[]): Node {
  return {
    metadata: { name },
    spec: { podCIDRs: [...podCIDRs] },
    status: { addresses: [{ type: 'InternalIP', address }] },
  };
}

const NODES = [
  node('node1', '172.30.0.11', '10.244.1.0/24'),
  node('node2', '172.30.0.12', '10.244.2.0/24'),
  node('node3', '172.30.0.13', '10.244.3.0/24'),
];

/** rtm_protocol of what an administrator adds (RTPROT_STATIC). */
const STATIC = 4;

/**
 * What {@link PodNetwork} does to a node's kernel, whichever kernel that is.
 * @param masquerade false for a kernel that cannot run the table's script
 */
export function podNetworkBehaviour(kernel: Kernel, masquerade: boolean): void {
  const MASQUERADE_TABLES = masquerade ? ['podway-masq'] : [];
  describe('PodNetwork', () => {
    let netns: NetworkNamespace;
    let network: PodNetwork;
    let said: string[];

    before(() => {
      netns = kernel.createNetns(PATH);
      netns.links.add({ kind: 'veth', name: 'eth0', mtu: 1450, peer: { name: 'uplink', up: true } });
      netns.links.set('eth0', { up: true });
      for (const [address, prefixLength] of [
        ['172.30.0.11', 16],
        ['192.0.2.11', 24],
      ] as const)
        netns.addresses.add({ link: 'eth0', address: address as never, prefixLength });
    });
    after(() => {
      netns[Symbol.dispose]();
      kernel.deleteNetns(PATH);
    });
    beforeEach(async () => {
      said = [];
      network = new PodNetwork(
        { netns, backend: hostGw, logger: createLogger(({ message }) => void said.push(message)) },
        {
          nodeName: 'node1',
          clusterCidrs: [parsePrefix('10.244.0.0/16')],
          serviceCidrs: [parsePrefix('10.96.0.0/16')],
          masquerade,
          podLinks: ['cni0'],
        },
      );
      await removePodNetwork(netns);
    });

    const routes = () =>
      netns.routes
        .list({ protocol: ROUTE_PROTOCOL_PODWAY })
        .map(({ destination, gateway, link }) => `${destination} via ${gateway} dev ${link}`)
        .sort();
    const tables = async () => (await netns.nft.listTables()).map(({ name }) => name);

    test('reconcile: a route to the Pods of every other node, once', async () => {
      const { operations, problems } = await network.reconcile(NODES);
      assert.deepEqual(routes(), [
        '10.244.2.0/24 via 172.30.0.12 dev eth0',
        '10.244.3.0/24 via 172.30.0.13 dev eth0',
      ]);
      assert.deepEqual([operations.length, problems], [2, []]);
      assert.deepEqual(await tables(), MASQUERADE_TABLES);
      assert.deepEqual((await network.reconcile(NODES)).operations, []);
    });

    test('reconcile: a node that moves or leaves costs what changed', async () => {
      await network.reconcile(NODES);
      const moved = [
        node('node1', '172.30.0.11', '10.244.1.0/24'),
        node('node2', '172.30.0.22', '10.244.2.0/24'),
      ];
      const { operations } = await network.reconcile(moved);
      assert.deepEqual(operations.map(formatOperation).sort(), [
        'delete route 10.244.3.0/24 via 172.30.0.13 dev eth0',
        'replace route 10.244.2.0/24 via 172.30.0.22 dev eth0',
      ]);
      assert.deepEqual(routes(), ['10.244.2.0/24 via 172.30.0.22 dev eth0']);
    });

    test('reconcile: what others remove comes back, also the masquerade table', async () => {
      await network.reconcile(NODES);
      netns.routes.delete({ destination: parsePrefix('10.244.2.0/24') });
      for (const table of MASQUERADE_TABLES) await netns.nft.run(`delete table inet ${table}\n`);
      const { operations } = await network.reconcile(NODES);
      assert.deepEqual(operations.map(formatOperation), [
        'replace route 10.244.2.0/24 via 172.30.0.12 dev eth0',
      ]);
      assert.deepEqual(await tables(), MASQUERADE_TABLES);
    });

    test('reconcile: another’s route stays and is reported, once, and its end too', async () => {
      const foreign = { destination: parsePrefix('10.244.2.0/24'), link: 'eth0', protocol: STATIC } as const;
      netns.routes.add(foreign);
      for (let i = 0; i < 2; i++) {
        const { problems } = await network.reconcile(NODES);
        assert.deepEqual(
          problems.map(({ node: name, reason }) => `${name} ${reason}`),
          ['node2 RouteTaken'],
        );
      }
      assert.deepEqual(routes(), ['10.244.3.0/24 via 172.30.0.13 dev eth0']);
      netns.routes.delete(foreign);
      await network.reconcile(NODES);
      assert.equal(routes().length, 2);
      const reports = said.filter((message) => message.includes('RouteTaken'));
      assert.deepEqual(
        reports.map((message) => message.split(':')[0]),
        ['node node2', 'solved'],
      );
    });

    test('reconcile: nodes that cannot be reached are named, and the others are', async () => {
      const { problems } = await network.reconcile([
        ...NODES,
        node('node4', '203.0.113.4', '10.244.4.0/24'),
        node('node5', 'nonsense', '10.244.5.0/24'),
        node('node6', '172.30.0.16', '10.244.2.128/25'),
        // Not yet: no reason to complain.
        node('node7', '172.30.0.17'),
      ]);
      assert.deepEqual([...new Set(problems.map(({ node: name, reason }) => `${name} ${reason}`))].sort(), [
        'node4 NotOnLink',
        'node5 InvalidNode',
        'node5 NoAddress',
        'node6 PodCidrOverlap',
      ]);
      assert.equal(routes().length, 2);
    });

    test('reconcile: without its own Node a node keeps its masquerading', async () => {
      await network.reconcile(NODES);
      await network.reconcile(NODES.slice(1));
      assert.deepEqual(await tables(), MASQUERADE_TABLES);
    });

    test('podMtu: that of the link to the other nodes; unknown without the Node', () => {
      assert.equal(network.podMtu(NODES), 1450);
      assert.equal(network.podMtu(NODES.slice(1)), undefined);
    });

    test('removePodNetwork: takes all of Podway’s and nothing else', async () => {
      await network.reconcile(NODES);
      const foreign = { destination: parsePrefix('198.51.100.0/24'), link: 'eth0', protocol: STATIC };
      netns.routes.add(foreign);
      await removePodNetwork(netns);
      assert.deepEqual([routes(), await tables()], [[], []]);
      assert.ok(netns.routes.list().some(({ destination }) => destination === foreign.destination));
      netns.routes.delete(foreign);
    });
  });
}
