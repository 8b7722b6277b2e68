import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CASES } from '../../behaviour/cases.ts';
import { FACTS, service, slice } from '../../behaviour/cluster.ts';
import { buildTable, diffTables } from '../../table/table.ts';
import { FamilyTable } from '../nft/family-table.ts';
import { MemoryTable } from '../nft/memory-table.ts';
import type { NftOperation } from '../nft/operation.ts';
import { LAYOUT } from './layout.ts';

const STATES = CASES.flatMap(({ states }) =>
  states.map((state) => buildTable(state.services, state.slices, { ...FACTS, ...state.facts })),
);
const EMPTY = buildTable([], [], FACTS);

class Counting extends MemoryTable {
  readonly operations: NftOperation[] = [];
  /** The write of that number fails. */
  failAt: number | undefined;

  override async write(operations: readonly NftOperation[]): Promise<void> {
    for (const operation of operations) {
      if (this.operations.length === this.failAt) {
        this.failAt = undefined;
        throw new Error('out of memory');
      }
      await super.write([operation]);
      this.operations.push(operation);
    }
  }

  contents(): readonly string[] {
    return this.listing()
      .elements.map(({ set, key, value }) => `${set} ${key} ${value}`)
      .sort();
  }
}

/** What a table that has seen nothing else holds, slots aside: which endpoint is in which slot depends on the past. */
async function fresh(table: typeof EMPTY): Promise<readonly string[]> {
  const memory = new Counting();
  await new FamilyTable(memory, 'IPv4', LAYOUT).apply(table, []);
  return withoutSlots(memory.contents());
}

function withoutSlots(contents: readonly string[]): readonly string[] {
  return contents.map((text) => text.replace(/^(\S+_endpoints \S+ \. \d+) \. \d+ /, '$1 ')).sort();
}

/** After each change the table must hold what it would have been given at once. */
async function takeThrough(states: readonly (typeof EMPTY)[], memory: Counting): Promise<void> {
  const family = new FamilyTable(memory, 'IPv4', LAYOUT);
  let previous = EMPTY;
  for (const state of states) {
    await family.apply(
      state,
      diffTables(previous, state).map((change) => change.service),
    );
    previous = state;
    assert.deepEqual(withoutSlots(memory.contents()), await fresh(state));
    assert.equal(await family.matches(), true);
  }
}

const someStates = fc.array(fc.constantFrom(...STATES), { minLength: 1, maxLength: 6 });

describe('FamilyTable', () => {
  test('after any changes the table holds what it would have been given at once; a restart then writes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(someStates, async (states) => {
        const memory = new Counting();
        await takeThrough(states, memory);
        assert.equal(await new FamilyTable(memory, 'IPv4', LAYOUT).apply(states.at(-1) ?? EMPTY, []), 0);
      }),
      { numRuns: 100 },
    );
  });

  test('a restart into any other state writes the difference', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...STATES), fc.constantFrom(...STATES), async (before, after) => {
        const memory = new Counting();
        await new FamilyTable(memory, 'IPv4', LAYOUT).apply(before, []);
        await new FamilyTable(memory, 'IPv4', LAYOUT).apply(after, []);
        assert.deepEqual(withoutSlots(memory.contents()), await fresh(after));
      }),
      { numRuns: 100 },
    );
  });

  test('a write that fails anywhere is made good by the next apply', async () => {
    await fc.assert(
      fc.asyncProperty(someStates, fc.nat(60), async (states, failAt) => {
        const memory = new Counting();
        const family = new FamilyTable(memory, 'IPv4', LAYOUT);
        let previous = EMPTY;
        for (const state of states) {
          memory.failAt = memory.operations.length + failAt;
          const changed = diffTables(previous, state).map((change) => change.service);
          await family.apply(state, changed).catch(() => family.apply(state, changed));
          previous = state;
        }
        assert.deepEqual(withoutSlots(memory.contents()), await fresh(previous));
      }),
      { numRuns: 100 },
    );
  });

  test('a change of more Services than are written at once leaves out nothing, be it that they swap addresses', async () => {
    const of = (place: (i: number) => number) => {
      const services = Array.from({ length: 1_000 }, (_, i) => {
        const clusterIP = `10.96.${4 + (place(i) >> 8)}.${place(i) & 255}`;
        return service({ clusterIP, clusterIPs: [clusterIP] }, { metadata: { name: `s${i}` } });
      });
      const slices = services.map(({ metadata }, i) =>
        slice([i % 2 === 0 ? 'b' : 'c'], { name: `${metadata?.name}-1`, service: metadata?.name ?? '' }),
      );
      return buildTable(services, slices, FACTS);
    };
    const states = [
      of((i) => i),
      of((i) => (i < 400 ? i + 600 : i < 600 ? i : i - 600)),
      of((i) => 999 - i),
      EMPTY,
    ];
    await takeThrough(states, new Counting());
  });

  test('one endpoint more is one element, one verdict and nothing of other Services', async () => {
    const memory = new Counting();
    const family = new FamilyTable(memory, 'IPv4', LAYOUT);
    const other = service({ clusterIPs: ['10.96.0.7'] }, { metadata: { name: 'other' } });
    await family.apply(buildTable([service(), other], [slice(['c'])], FACTS), []);
    memory.operations.length = 0;
    await family.apply(buildTable([service(), other], [slice(['c', 'd'])], FACTS), ['default/web']);
    const text = memory.operations.map((operation) =>
      'element' in operation
        ? `${operation.do} ${operation.element.set} ${operation.element.key} ${operation.element.value}`
        : operation.do,
    );
    assert.deepEqual(text, [
      'delete element services 10.96.0.100 . tcp . 80 goto ep1',
      'add element services 10.96.0.100 . tcp . 80 goto ep2',
      'add element tcp_endpoints 10.96.0.100 . 80 . 1 10.244.2.11 . 8080',
    ]);
  });

  test('rules that another version or somebody else has written are put right with every element in its place', async () => {
    const memory = new Counting();
    const table = buildTable([service({ sessionAffinity: 'ClientIP' })], [slice(['b', 'c'])], FACTS);
    await new FamilyTable(memory, 'IPv4', LAYOUT).apply(table, []);
    const { chains } = memory.listing();
    const changed = (name: string) => ({ ...chains.find((chain) => chain.name === name), name });
    const chain = { name: 'theirs', hook: undefined, rules: [] };
    await memory.write([
      { do: 'add chain', chain },
      { do: 'replace rules', chain: { hook: undefined, ...changed('ep2'), rules: [] } },
      {
        do: 'replace rules',
        chain: { hook: undefined, ...changed('prerouting'), rules: [[{ do: 'drop' }]] },
      },
    ]);
    memory.operations.length = 0;
    const family = new FamilyTable(memory, 'IPv4', LAYOUT);
    assert.equal(await family.apply(table, []), 0);
    assert.deepEqual(memory.operations.map((one) => one.do).sort(), [
      'delete chain',
      'replace rules',
      'replace rules',
    ]);
    assert.equal(await family.matches(), true);
    assert.deepEqual(
      new Set(memory.listing().chains.map(({ name }) => name)),
      new Set(chains.map(({ name }) => name)),
    );
  });

  test('a table of another shape, and one with an element that leads to somebody’s chain, is made anew', async () => {
    const table = buildTable([service()], [slice(['b'])], FACTS);
    const memory = new Counting();
    await new FamilyTable(memory, 'IPv4', LAYOUT).apply(table, []);
    await memory.write([
      { do: 'add chain', chain: { name: 'theirs', hook: undefined, rules: [] } },
      { do: 'add element', element: { set: 'services', key: '10.9.9.9 . tcp . 1', value: 'goto theirs' } },
    ]);
    await new FamilyTable(memory, 'IPv4', LAYOUT).apply(table, []);
    assert.deepEqual(withoutSlots(memory.contents()), await fresh(table));
  });

  test('a table that another version made is made anew', async () => {
    const memory = new Counting();
    await memory.write([
      { do: 'add table' },
      { do: 'add set', set: { name: 'old', key: ['address'], data: undefined, kind: 'plain' } },
    ]);
    const table = buildTable([service()], [slice(['b'])], FACTS);
    await new FamilyTable(memory, 'IPv4', LAYOUT).apply(table, []);
    assert.deepEqual(withoutSlots(memory.contents()), await fresh(table));
  });

  test('spotCheck: puts back what is missing, and tells when the table is gone or other data is there', async () => {
    const memory = new Counting();
    const family = new FamilyTable(memory, 'IPv4', LAYOUT);
    const table = buildTable([service()], [slice(['b'])], FACTS);
    await family.apply(table, []);
    const endpoint = { set: 'tcp_endpoints', key: '10.96.0.100 . 80 . 0', value: '10.244.1.11 . 8080' };
    await memory.write([{ do: 'delete element', element: endpoint }]);
    assert.equal(await family.matches(), false);
    assert.equal(await family.spotCheck(), true);
    assert.equal(await family.matches(), true);
    await memory.write([
      { do: 'delete element', element: endpoint },
      { do: 'add element', element: { ...endpoint, value: '10.9.9.9 . 80' } },
    ]);
    assert.equal(await family.spotCheck(), false);
    await family.apply(table, []);
    assert.equal(await family.matches(), true);
    await memory.remove();
    assert.equal(await family.spotCheck(), false);
  });

  test('chains that nothing goes to any more are removed when there are many, those in use stay', async () => {
    const memory = new Counting();
    const family = new FamilyTable(memory, 'IPv4', LAYOUT);
    const withPods = (count: number, seconds: number) => {
      const affinity = {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: seconds } },
      };
      const { endpoints: _, ...rest } = slice([]);
      const endpoints = Array.from({ length: count }, (__, i) => ({ addresses: [`10.244.2.${i + 1}`] }));
      return buildTable([service(affinity)], [{ ...rest, endpoints }], FACTS);
    };
    for (let count = 20; count < 60; count++) await family.apply(withPods(count, count), ['default/web']);
    const names = memory.listing().chains.map(({ name }) => name);
    assert.ok(names.length < 110, `${names.length} chains`);
    for (const name of ['sticky_ep59', 'ep59', 'learn_59', 'ep1']) assert.ok(names.includes(name), name);
    assert.ok(!names.includes('sticky_ep20') && !names.includes('ep20') && !names.includes('learn_20'));
    assert.equal(await family.matches(), true);
    assert.equal(await new FamilyTable(memory, 'IPv4', LAYOUT).apply(withPods(59, 59), []), 0);
  });
});
