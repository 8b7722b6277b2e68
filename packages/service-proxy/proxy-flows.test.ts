import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type IpAddress, parseIp } from '#ip';
import type { ConntrackEntry } from '#kernel';
import {
  CLUSTER_IP,
  NODE_ADDRESS,
  PODS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
} from './behaviour/cluster.ts';
import { frontendKey } from './table/entry.ts';
import { proxyParts } from './testing/proxy-parts.ts';

function flow(destination: IpAddress, port: number, source: IpAddress, sourcePort: number): ConntrackEntry {
  const client = { address: PODS.a, port: 4_000 };
  return {
    original: {
      source: client.address,
      sourcePort: client.port,
      destination,
      destinationPort: port,
      protocol: 17,
    },
    reply: { source, sourcePort, destination: client.address, destinationPort: client.port, protocol: 17 },
    mark: 0,
    status: 0,
    timeout: 30,
  };
}

describe('createServiceProxy: flows', () => {
  test('flows to an endpoint that left are deleted, those of a Service that went while the agent was away too', async () => {
    const gone = parseIp('10.96.0.77');
    const main = { name: 'main', protocol: 'UDP' };
    const valid = flow(CLUSTER_IP, SERVICE_PORT, PODS.b, TARGET_PORT);
    const left = flow(CLUSTER_IP, SERVICE_PORT, PODS.c, TARGET_PORT);
    const ofGone = flow(gone, 53, PODS.d, 5353);
    const foreign = flow(parseIp('10.96.0.78'), 53, PODS.d, 5353);
    const { backend, services, slices, deleted, launch, run, listed } = proxyParts({
      flows: [valid, left, ofGone, foreign],
    });
    backend.left = [frontendKey(gone, 'UDP', 53)];
    services.set(service({ ports: [{ ...main, port: SERVICE_PORT }] }));
    slices.set(slice(['b'], { ports: [{ ...main, port: TARGET_PORT }] }));
    await using _proxy = launch();
    await run();
    assert.deepEqual(deleted, [left.original, ofGone.original]);
    const before = listed();
    slices.set(slice(['b', 'd'], { ports: [{ ...main, port: TARGET_PORT }] }));
    await run();
    assert.equal(listed(), before, 'a new endpoint strands no flow: conntrack is not read');
  });

  test('a flow that leads to the mechanism itself is the mechanism’s', async () => {
    const relayed = flow(CLUSTER_IP, SERVICE_PORT, NODE_ADDRESS, 40_000);
    const left = flow(CLUSTER_IP, SERVICE_PORT, PODS.c, TARGET_PORT);
    const { backend, services, deleted, launch, run } = proxyParts({ flows: [relayed, left] });
    backend.ownsFlow = ({ reply }) => reply.source === NODE_ADDRESS;
    services.set(service({ ports: [{ name: 'main', protocol: 'UDP', port: SERVICE_PORT }] }));
    await using _proxy = launch();
    await run();
    assert.deepEqual(deleted, [left.original]);
  });
});
