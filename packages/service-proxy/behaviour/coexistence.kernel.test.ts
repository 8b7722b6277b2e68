import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { sandboxedKernel } from '#kernel';
import { AT_CLUSTER_IP, AT_NODE_PORT, place } from './case.ts';
import { NODE_ADDRESS, nodePortService, OTHER_CLUSTER_IP, PODS, slice, TARGET_PORT } from './cluster.ts';
import { NamespaceLab } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import { testedMechanism } from './tested-mechanism.ts';

const NODE = 'behaviour-node';
const PUBLISHED = 8088;

/** As Docker writes them for a container on Pod b's address whose port is published, and as kube-proxy for a Service of two endpoints. */
const OTHERS = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport ${PUBLISHED} -j DNAT --to-destination ${PODS.b}:${TARGET_PORT}
-A KUBE-SERVICES -d ${OTHER_CLUSTER_IP}/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA
-A KUBE-SVC-AAAAAAAAAAAAAAAA -m statistic --mode random --probability 0.5 -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SVC-AAAAAAAAAAAAAAAA -j KUBE-SEP-BBBBBBBBBBBBBBBB
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination ${PODS.c}:${TARGET_PORT}
-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m tcp -j DNAT --to-destination ${PODS.d}:${TARGET_PORT}
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
:KUBE-FIREWALL - [0:0]
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
`;

/** A distribution's firewall: stateful, everything forwarded is let through, few ports of the node itself are open. */
const FIREWALL = `table inet filter {
  chain input { type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname "lo" accept
    meta l4proto { icmp, icmpv6 } accept
    tcp dport ${TARGET_PORT} accept
  }
  chain forward { type filter hook forward priority 0; policy accept; }
}
`;

const hasIptables = sandboxedKernel().currentNetns().iptables.variants().includes('nft');

describe('beside other people’s rules', {
  skip: hasIptables ? false : 'iptables-nft-restore is not installed',
}, () => {
  const mechanism = testedMechanism('nftables');
  let lab: NamespaceLab;
  before(async () => {
    lab = new NamespaceLab(sandboxedKernel());
    await lab.serve();
  });
  after(() => lab[Symbol.asyncDispose]());

  const inNode = (program: string, args: readonly string[], input = '') =>
    execFileSync('ip', ['netns', 'exec', NODE, program, ...args], {
      encoding: 'utf8',
      input,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
  /** Everything but counters and ours. */
  const theirs = () =>
    inNode('nft', ['list', 'ruleset'])
      .replaceAll(/packets \d+ bytes \d+/g, '')
      .split(/^(?=table )/m)
      .filter((table) => !table.startsWith('table ip podway '))
      .join('');

  for (const [first, second] of [
    ['theirs', 'ours'],
    ['ours', 'theirs'],
  ])
    test(`${first} first, then ${second}: Docker’s, kube-proxy’s and a firewall’s rules do their work, and so do ours`, async () => {
      inNode('nft', ['flush', 'ruleset']);
      const world = new NamespaceWorld(lab, mechanism.create);
      const writeTheirs = () => {
        inNode('iptables-nft-restore', [], OTHERS);
        inNode('nft', ['-f', '-'], FIREWALL);
      };
      const writeOurs = () =>
        world.program({ services: [nodePortService()], slices: [slice(['b', 'c'])], expect: [] });
      for (const write of first === 'ours' ? [writeOurs, writeTheirs] : [writeTheirs, writeOurs])
        await write();
      const before = theirs();
      assert.match(before, /DOCKER[\s\S]*KUBE-SERVICES[\s\S]*policy drop/);
      const seen = async (from: 'a' | 'outside' | 'node', at: typeof AT_CLUSTER_IP) => {
        const outcomes = new Set<string>();
        for (let i = 0; i < 40 && outcomes.size < 2; i++) outcomes.add(await lab.attempt(from, at));
        return [...outcomes].sort();
      };
      assert.deepEqual(await seen('a', AT_CLUSTER_IP), ['b kept', 'c kept']);
      assert.deepEqual(await seen('node', AT_CLUSTER_IP), ['b', 'c']);
      assert.deepEqual(await seen('outside', AT_NODE_PORT), ['b replaced', 'c replaced']);
      assert.deepEqual(await seen('outside', place(NODE_ADDRESS, PUBLISHED)), ['b kept']);
      assert.deepEqual(await seen('a', place(OTHER_CLUSTER_IP, 80)), ['c kept', 'd kept']);
      await world[Symbol.asyncDispose]();
      assert.equal(theirs(), before);
      assert.deepEqual(await seen('outside', place(NODE_ADDRESS, PUBLISHED)), ['b kept']);
    });
});
