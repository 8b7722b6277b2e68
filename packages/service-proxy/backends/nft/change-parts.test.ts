import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FACTS, service } from '../../behaviour/cluster.ts';
import { buildTable, diffTables } from '../../table/table.ts';
import { changeParts } from './change-parts.ts';

/** Services s0, s1, … with the last number of each one's address; undefined: no such Service. */
function tableOf(...addresses: readonly (number | undefined)[]) {
  const services = addresses.flatMap((last, i) => {
    if (last === undefined) return [];
    const clusterIP = `10.96.2.${last}`;
    return service({ clusterIP, clusterIPs: [clusterIP] }, { metadata: { name: `s${i}` } });
  });
  return buildTable(services, [], FACTS);
}

/** In parts of `size` Services: each has one frontend without endpoints, before or after or both. */
async function partsOf(before: ReturnType<typeof tableOf>, after: ReturnType<typeof tableOf>, size: number) {
  const changes = diffTables(before, after);
  const elements = changes[0]?.previous === undefined ? 2 : 4;
  const parts = await changeParts(changes, size * elements);
  return parts.map((part) => part.map((name) => name.replace('default/', '')).sort());
}

describe('changeParts', () => {
  test('everything changes once, in parts of the size', async () => {
    assert.deepEqual(await partsOf(tableOf(), tableOf(0, 1, 2, 3, 4), 2), [
      ['s0', 's1'],
      ['s2', 's3'],
      ['s4'],
    ]);
    assert.deepEqual(await partsOf(tableOf(), tableOf(), 2), []);
  });

  test('who takes over an address and port is in one part with who gives it up', async () => {
    const before = tableOf(0, 1, 2, 3, 4);
    assert.deepEqual(await partsOf(before, tableOf(4, 11, 12, 13, 0), 2), [
      ['s0', 's4'],
      ['s1', 's2'],
      ['s3'],
    ]);
    assert.deepEqual((await partsOf(before, tableOf(undefined, 11, 12, 13, 0), 2))[0], ['s0', 's4']);
  });

  test('a chain of takeovers is one part, whatever the size', async () => {
    assert.deepEqual(await partsOf(tableOf(0, 1, 2, 3), tableOf(1, 2, 3, 4), 2), [['s0', 's1', 's2', 's3']]);
  });
});
