import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IpAddress } from '#ip';
import type { Node } from '#kube-api';
import { FACTS, OTHER_NODE_ADDRESS, PODS, service } from './behaviour/cluster.ts';
import { NODE, proxyParts } from './testing/proxy-parts.ts';

describe('ClusterWatch', () => {
  test('writes nothing before every informer has synced', async () => {
    const { backend, services, slices, nodes, launch, run } = proxyParts({ synced: false });
    await using proxy = launch();
    await run();
    services.sync();
    nodes.sync();
    await run();
    services.set(service());
    await run();
    assert.deepEqual(backend.calls, []);
    assert.equal(proxy.lastUpdated, undefined);
    slices.sync();
    await run();
    assert.deepEqual(backend.calls, ['observe', 'apply default/web']);
    assert.ok(proxy.lastUpdated);
  });

  test('a node that comes with an external address of a Service has that Service decided again', async () => {
    const { backend, services, nodes, launch, run } = proxyParts();
    services.set(service({ externalIPs: [OTHER_NODE_ADDRESS] }));
    await using _proxy = launch();
    await run();
    backend.calls.length = 0;
    const node = (name: string, address: IpAddress): Node => ({
      metadata: { name },
      status: { addresses: [{ type: 'InternalIP', address }] },
    });
    nodes.set(node('node3', PODS.d));
    await run();
    assert.deepEqual(backend.calls, []);
    nodes.set(node('node2', OTHER_NODE_ADDRESS));
    await run();
    assert.deepEqual(backend.calls, ['apply default/web']);
    assert.match(backend.table, /ExternalIP 172\.30\.0\.12:80.* at another node/);
  });

  test('the node’s zone and Pod range come from its Node object and are followed', async () => {
    const { nodes, launch, run } = proxyParts();
    await using proxy = launch();
    await run();
    assert.deepEqual(proxy.table.facts, FACTS);
    nodes.set({ ...NODE, metadata: { name: 'node1', labels: {} } });
    nodes.set({ ...NODE, metadata: { name: 'node2' } });
    await run();
    assert.equal(proxy.table.facts.zone, undefined);
  });
});
