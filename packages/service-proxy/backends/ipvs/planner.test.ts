import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePrefix } from '#ip';
import { fakeKernel } from '#kernel';
import { silentLogger } from '#runtime';
import { FACTS, service, slice } from '../../behaviour/cluster.ts';
import { buildTable } from '../../table/table.ts';
import { DEFAULT_IPVS_OPTIONS } from './options.ts';
import { serverKey } from './plan.ts';
import { Planner } from './planner.ts';

function start() {
  const netns = fakeKernel().currentNetns();
  return new Planner({ netns, logger: silentLogger, isBound: () => false }, DEFAULT_IPVS_OPTIONS);
}

describe('Planner', () => {
  test('plan: a family that this node has not gets no server and no address', async () => {
    const dual = service({ clusterIPs: ['10.96.0.51', 'fd00:96::51'] });
    const slices = [
      slice(['b']),
      slice([{ addresses: ['fd00:1::11'] }], { name: 'web-6', addressType: 'IPv6' }),
    ];
    const planned = async (facts: typeof FACTS) => {
      const { wanted, vips } = await start().plan(buildTable([dual], slices, facts), ['default/web']);
      return [wanted.map(({ service }) => serverKey(service)), vips];
    };
    const facts6 = { ...FACTS, clusterCIDRs: [...FACTS.clusterCIDRs, parsePrefix('fd00:1::/64')] };
    assert.deepEqual(await planned(FACTS), [['10.96.0.51 TCP 80'], ['10.96.0.51']]);
    assert.deepEqual(await planned(facts6), [
      ['10.96.0.51 TCP 80', 'fd00:96::51 TCP 80'],
      ['10.96.0.51', 'fd00:96::51'],
    ]);
  });
});
