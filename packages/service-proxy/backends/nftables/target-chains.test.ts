import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp } from '#ip';
import { CLUSTER_IP, FACTS, PODS, SERVICE_PORT, service, slice } from '../../behaviour/cluster.ts';
import { buildTable } from '../../table/table.ts';
import { nftRules } from '../../walker/nft-rules.ts';
import { walk } from '../../walker/walk.ts';
import { FamilyTable } from '../nft/family-table.ts';
import { MemoryTable } from '../nft/memory-table.ts';
import { LAYOUT } from './layout.ts';

describe('target chains', () => {
  test('balance: a packet that met the old count, and then the endpoints of after a change, goes to one that is there', async () => {
    const memory = new MemoryTable();
    const table = buildTable([service()], [slice(['b', 'c', 'd'])], FACTS);
    await new FamilyTable(memory, 'IPv4', LAYOUT).apply(table, []);
    const { elements, ...rest } = memory.listing();
    const isLast = ({ key }: { readonly key: string }) => key === `${CLUSTER_IP} . ${SERVICE_PORT} . 2`;
    const half = { ...rest, elements: elements.filter((element) => !isLast(element)) };
    assert.equal(half.elements.length, elements.length - 1);
    const packet = {
      source: PODS.a,
      destination: parseIp(CLUSTER_IP),
      protocol: 'tcp',
      destinationPort: SERVICE_PORT,
      origin: 'link',
    } as const;
    const host = { isLocal: () => false, random: (n: number) => n - 1 };
    const { outcome, destination } = walk(packet, nftRules(half, LAYOUT.shape.sets), host);
    assert.deepEqual({ outcome, destination }, { outcome: 'forwarded', destination: PODS.b });
  });
});
