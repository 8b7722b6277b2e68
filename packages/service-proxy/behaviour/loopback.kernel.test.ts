import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseIp } from '#ip';
import { LoopbackRouting, sandboxedKernel } from '#kernel';
import type { ProxyMechanism } from '../backends/mechanisms.ts';
import { type BehaviourState, type BehaviourWorld, client, place, udp } from './case.ts';
import { NODE_ADDRESS, NODE_PORT, SERVICE_PORT, service, slice, TARGET_PORT } from './cluster.ts';
import { NamespaceLab } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import { testedMechanism } from './tested-mechanism.ts';
import { WalkedIptables, WalkedWorld } from './walked-world.ts';

const AT_LOOPBACK = place(parseIp('127.0.0.1'), NODE_PORT);
const fromNode = client('node');

const ports = (port: number, target = false) => [
  { name: 't', port, protocol: 'TCP', ...(!target && { nodePort: NODE_PORT }) },
  { name: 'u', port, protocol: 'UDP', ...(!target && { nodePort: NODE_PORT }) },
];
const facts = { nodePortAddresses: [NODE_ADDRESS, AT_LOOPBACK.address] };
const web = service({ type: 'NodePort', ports: ports(SERVICE_PORT) });
const webHere = service({ type: 'NodePort', externalTrafficPolicy: 'Local', ports: ports(SERVICE_PORT) });
const pods = (...names: readonly ('a' | 'b' | 'c')[]) => [slice(names, { ports: ports(TARGET_PORT, true) })];

const STATES: readonly BehaviourState[] = [
  {
    when: 'endpoints here and elsewhere',
    ...{ services: [web], slices: pods('b', 'c'), facts },
    expect: [fromNode.to(AT_LOOPBACK).reaches('b c'), fromNode.to(udp(AT_LOOPBACK)).reaches('b c')],
  },
  {
    when: 'externalTrafficPolicy Local is no limit to the node itself',
    ...{ services: [webHere], slices: pods('c'), facts },
    expect: [fromNode.to(AT_LOOPBACK).reaches('c')],
  },
  {
    when: 'no endpoints',
    ...{ services: [web], slices: [], facts },
    expect: [fromNode.to(AT_LOOPBACK).isRefused(), fromNode.to(udp(AT_LOOPBACK)).isRefused()],
  },
  {
    when: 'loopback is not among the addresses',
    ...{ services: [web], slices: pods('b') },
    expect: [fromNode.to(AT_LOOPBACK).isRefused()],
  },
];

describe('NodePorts on 127.0.0.1', () => {
  let lab: NamespaceLab;
  let routing: LoopbackRouting;
  before(async () => {
    lab = new NamespaceLab(sandboxedKernel());
    await lab.serve();
    routing = new LoopbackRouting(lab.node);
    await routing.ensure();
  });
  after(async () => {
    await routing.remove();
    await lab[Symbol.asyncDispose]();
  });

  const inNamespaces = (name: ProxyMechanism) => () => new NamespaceWorld(lab, testedMechanism(name).create);
  const worlds: Readonly<Record<string, () => BehaviourWorld & Partial<AsyncDisposable>>> = {
    'nftables, by the walker': () => new WalkedWorld('IPv4'),
    'nftables, in namespaces': inNamespaces('nftables'),
    'iptables, by the walker': () => new WalkedIptables('IPv4'),
    'iptables, in namespaces': inNamespaces('iptables'),
    'userspace, in namespaces': inNamespaces('userspace'),
  };
  for (const [name, open] of Object.entries(worlds))
    test(`${name}: the node's own processes reach every endpoint`, async () => {
      const world = open();
      for (const state of STATES) {
        await world.program(state);
        for (const { from, to, outcomes } of state.expect)
          assert.deepEqual(
            [...(await world.attempt(from, to, outcomes))].sort(),
            [...outcomes].sort(),
            `${state.when}, ${to.protocol}`,
          );
      }
      await world[Symbol.asyncDispose]?.();
    });
});
