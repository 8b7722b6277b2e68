import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTopologyOperation, planTopology } from './topology.ts';

test('planTopology: one node prints as the commands that would make it', () => {
  assert.equal(
    planTopology({ nodes: 1, ipFamily: 'ipv4' }).map(formatTopologyOperation).join('\n'),
    `sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv4.conf.all.rp_filter=0
sysctl -w net.ipv4.conf.default.rp_filter=0
ip link set lo up
ip link add lan type bridge
ip address add 172.30.0.1/16 dev lan
ip link set lan up
ip netns add outside
ip netns exec outside sysctl -w net.ipv4.ip_forward=1
ip netns exec outside sysctl -w net.ipv4.conf.all.rp_filter=0
ip netns exec outside sysctl -w net.ipv4.conf.default.rp_filter=0
ip -n outside link set lo up
ip link add outside up type veth peer name eth0 netns outside
ip -n outside address add 198.51.100.10/24 dev eth0
ip -n outside link set eth0 up
ip -n outside route add 0.0.0.0/0 via 198.51.100.1
ip address add 198.51.100.1/24 dev outside
ip link set outside up
ip netns add node1
ip netns exec node1 sysctl -w net.ipv4.ip_forward=1
ip netns exec node1 sysctl -w net.ipv4.conf.all.rp_filter=0
ip netns exec node1 sysctl -w net.ipv4.conf.default.rp_filter=0
ip -n node1 link set lo up
ip link add lan-node1 up master lan type veth peer name eth0 netns node1
ip -n node1 address add 172.30.0.11/16 dev eth0
ip -n node1 link set eth0 up
ip -n node1 route add 0.0.0.0/0 via 172.30.0.1`,
  );
});

test('planTopology: a family by itself, or both, the same links', () => {
  const steps = (ipFamily: 'ipv4' | 'ipv6' | 'dual') =>
    planTopology({ nodes: 1, ipFamily }).map(formatTopologyOperation);
  const [v4, v6, dual] = [steps('ipv4'), steps('ipv6'), steps('dual')];
  const both = v4.filter((step) => v6.includes(step));
  assert.equal(both.length, 12);
  assert.deepEqual(dual.toSorted(), [...new Set([...v4, ...v6])].toSorted());
  assert.deepEqual(
    v6.filter((step) => step.includes('node1') && !both.includes(step)),
    [
      ...['all.disable_ipv6=0', 'default.disable_ipv6=0', 'all.forwarding=1', 'all.accept_dad=0'].map(
        (setting) => `ip netns exec node1 sysctl -w net.ipv6.conf.${setting}`,
      ),
      'ip netns exec node1 sysctl -w net.ipv6.conf.default.accept_dad=0',
      'ip -n node1 address add fd00:172:30::b/64 dev eth0',
      'ip -n node1 route add ::/0 via fd00:172:30::1',
    ],
  );
});

test('planTopology: every node has a link name that fits (15 bytes) and an address of its own', () => {
  const plan = planTopology({ nodes: 200, ipFamily: 'dual' });
  const links = plan.flatMap((operation) => (operation.op === 'veth' ? [operation.name] : []));
  const addresses = plan.flatMap((operation) => (operation.op === 'address' ? [operation.address] : []));
  assert.equal(links.length, 201);
  assert.deepEqual(
    links.filter((name) => name.length > 15),
    [],
  );
  assert.equal(new Set(addresses).size, addresses.length);
  assert.deepEqual(addresses.slice(-2), ['172.30.0.210', 'fd00:172:30::d2']);
});
