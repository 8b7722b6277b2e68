import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KernelTable } from './kernel-table.ts';

const CHAINS = [
  { name: 'translated' },
  { name: 'prerouting', type: 'nat', hook: 'prerouting', prio: -100 },
  { name: 'output', type: 'nat', hook: 'output', prio: -100 },
  { name: 'filter_output', type: 'filter', hook: 'output', prio: 0 },
  { name: 'postrouting', type: 'nat', hook: 'postrouting', prio: 100 },
];

/** A table in a kernel that lists what it is told to. */
function tableOf(listing: readonly unknown[] | undefined): { table: KernelTable; scripts: string[] } {
  const scripts: string[] = [];
  const none = async () => {};
  const nft = {
    run: async (script: string) => void scripts.push(script),
    listRules: async () => listing,
    listElements: async () => [],
    elements: none,
    addRules: none,
  };
  return { table: new KernelTable(nft, 'IPv6', { name: 'podway', sets: [] }), scripts };
}

describe('KernelTable', () => {
  const GONE = 'add table ip6 podway\ndelete table ip6 podway\n';

  test('remove: destinations are translated no more before sources are translated no more', async () => {
    const { table, scripts } = tableOf(CHAINS.map((chain) => ({ chain })));
    await table.remove();
    const flushed = 'flush chain ip6 podway prerouting\nflush chain ip6 podway output\n';
    assert.deepEqual(scripts, [flushed, GONE]);
  });

  test('remove: a table with what is not ours, or none at all', async () => {
    for (const listing of [[{ flowtable: { name: 'fast' } }], undefined]) {
      const { table, scripts } = tableOf(listing);
      await table.remove();
      assert.deepEqual(scripts, [GONE]);
    }
  });
});
