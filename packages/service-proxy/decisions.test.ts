import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { service } from './behaviour/cluster.ts';
import { NODE, proxyParts } from './testing/proxy-parts.ts';

describe('Decisions', () => {
  test('a family that this node has not is named once, whatever the number of Services, and again after it was there', async () => {
    const { services, nodes, records, launch, run } = proxyParts();
    const dual = (name: string, last: number) =>
      services.set(
        service(
          { clusterIPs: [`10.96.0.${last}`, `fd00:96::${last}`] },
          { metadata: { namespace: 'default', name } },
        ),
      );
    const named = () => records.filter(({ message }) => message.includes('has no IPv6')).length;
    dual('one', 51);
    dual('two', 52);
    await using proxy = launch();
    await run();
    dual('three', 53);
    await run();
    assert.equal(named(), 1);
    assert.deepEqual(
      proxy.table.services.get('default/one')?.frontends.map(({ address }) => address),
      ['10.96.0.51'],
    );
    const addresses = [...(NODE.status?.addresses ?? []), { type: 'InternalIP', address: 'fd00::b' }];
    nodes.set({ ...NODE, status: { ...NODE.status, addresses } });
    await run();
    assert.equal(proxy.table.services.get('default/one')?.frontends.length, 2);
    nodes.set(NODE);
    await run();
    assert.equal(named(), 2);
  });
});
