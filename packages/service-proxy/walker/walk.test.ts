import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  CLUSTER_IP,
  NODE_ADDRESS,
  NODE_PORT,
  nodePortService,
  OUTSIDE_ADDRESS,
  PODS,
  slice,
} from '../behaviour/cluster.ts';
import { WalkedIptables, WalkedWorld } from '../behaviour/walked-world.ts';
import { printWalk } from './print.ts';
import { type WalkHost, walk } from './walk.ts';
import type { WalkPacket } from './walked-packet.ts';

const HOST: WalkHost = { isLocal: (address) => address === NODE_ADDRESS, random: (n) => n - 1 };
const TO_NODE_PORT: WalkPacket = {
  source: OUTSIDE_ADDRESS,
  destination: NODE_ADDRESS,
  protocol: 'tcp',
  destinationPort: NODE_PORT,
  origin: 'link',
};
const TO_CLOSED_PORT: WalkPacket = { ...TO_NODE_PORT, destination: CLUSTER_IP, destinationPort: 9 };

/** The print of a packet's walk through the rules of a NodePort Service with affinity. */
async function printed(world: WalkedWorld | WalkedIptables, packet: WalkPacket, host = HOST) {
  await world.program({
    services: [nodePortService({ sessionAffinity: 'ClientIP' })],
    slices: [slice(['b', 'c'])],
    expect: [],
  });
  return printWalk(walk(packet, world.rules(), host));
}

describe('walk', () => {
  test('nftables: each step has the rule and the element of its map that decided', async () => {
    assert.equal(
      await printed(new WalkedWorld('IPv4'), TO_NODE_PORT),
      `tcp from 198.51.100.10 (link) to 172.30.0.11:30080
  prerouting, prerouting: ip daddr . meta l4proto . th dport vmap @services
    by services { 172.30.0.11 . tcp . 30080 : goto sticky_ep2 }
    goes to sticky_ep2
  prerouting, ep2: meta l4proto tcp dnat ip to ip daddr . tcp dport . numgen random mod 2 map @tcp_endpoints
    by tcp_endpoints { 172.30.0.11 . 30080 . 1 : 10.244.2.10 . 8080 }
    the destination becomes 10.244.2.10 port 8080
  postrouting, translated: meta l4proto tcp ct original ip daddr . meta l4proto . ct original proto-dst vmap @learners
    by learners { 172.30.0.11 . tcp . 30080 : jump learn_10800 }
    goes to learn_10800
  postrouting, learn_10800: meta l4proto tcp ct original ip daddr . meta l4proto . ct original proto-dst . ip daddr . tcp dport @affine_endpoints update @affinity { ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst timeout 10800s : ip daddr . tcp dport } return
    the client is remembered
  postrouting, translated: meta l4proto tcp ct original ip daddr . meta l4proto . ct original proto-dst vmap @sources
    by sources { 172.30.0.11 . tcp . 30080 : goto source_outside_node }
    goes to source_outside_node
  postrouting, source_outside_node: masquerade
    the source becomes the node's address on the way out
forwarded to 10.244.2.10:8080, with the node's address as its source
`,
    );
  });

  test('nftables: what is remembered of a client is the element that decides', async () => {
    const host: WalkHost = {
      ...HOST,
      recall: (map, [client]) =>
        map === 'affinity' && client === OUTSIDE_ADDRESS ? `${PODS.b} . 8080` : undefined,
    };
    const print = await printed(new WalkedWorld('IPv4'), TO_NODE_PORT, host);
    assert.match(
      print,
      /by affinity \{ 198\.51\.100\.10 \. 172\.30\.0\.11 \. tcp \. 30080 : 10\.244\.1\.11 \. 8080 \}/,
    );
    assert.match(print, /\nforwarded to 10\.244\.1\.11:8080, /);
  });

  test('iptables: a refusal, by its rules', async () => {
    assert.equal(
      await printed(new WalkedIptables('IPv4'), TO_CLOSED_PORT),
      `tcp from 198.51.100.10 (link) to 10.96.0.100:9
  forward, PODWAY-NET-B79BFE56B72FEFBF: -d 10.96.0.100/32 -g PODWAY-REFUSE
    goes to PODWAY-REFUSE
  forward, PODWAY-REFUSE: -p tcp -j REJECT --reject-with tcp-reset
    answered with tcp reset
rejected with tcp reset
`,
    );
  });
});
