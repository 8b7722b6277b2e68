import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { IP_FAMILIES } from '#ip';
import { type NetworkNamespace, sandboxedKernel } from '#kernel';
import type { BehaviourState } from '../../behaviour/case.ts';
import { CASES } from '../../behaviour/cases.ts';
import { FACTS, service, slice } from '../../behaviour/cluster.ts';
import { inFamily } from '../../behaviour/in-family.ts';
import { WalkedWorld } from '../../behaviour/walked-world.ts';
import { buildTable, diffTables } from '../../table/table.ts';
import { KernelTable } from '../nft/kernel-table.ts';
import type { NftListing } from '../nft/model.ts';
import { probeNft } from '../nft/probe.ts';
import { NftablesBackend } from './backend.ts';
import { FEATURES } from './features.ts';
import { SHAPE } from './structure.ts';

const elements = (listing: NftListing) =>
  listing.elements.map(({ set, key, value }) => `${set} ${key} ${value}`).sort();
const chains = (listing: NftListing) => [...listing.chains].sort((a, b) => (a.name < b.name ? -1 : 1));

describe('NftablesBackend in the kernel', () => {
  const kernel = sandboxedKernel();
  let netns: NetworkNamespace;
  before(() => {
    netns = kernel.createNetns('/run/netns/nftables-backend');
  });
  after(() => {
    netns[Symbol.dispose]();
    kernel.deleteNetns('/run/netns/nftables-backend');
  });
  afterEach(async () => {
    await new NftablesBackend(netns.nft).cleanup();
  });

  const tableOf = (state: Pick<BehaviourState, 'services' | 'slices' | 'facts'>) =>
    buildTable(state.services, state.slices, { ...FACTS, ...state.facts });

  for (const family of IP_FAMILIES)
    test(`${family}: the kernel lists what was meant, in every state of every case, and a restart writes nothing`, async () => {
      const facts = inFamily(family, FACTS);
      for (const { name, states } of inFamily(family, CASES)) {
        const backend = new NftablesBackend(netns.nft);
        await backend.cleanup();
        const walked = new WalkedWorld(family);
        let previous = buildTable([], [], facts);
        for (const state of states) {
          const table = buildTable(state.services, state.slices, { ...facts, ...state.facts });
          await backend.apply(
            table,
            diffTables(previous, table).map((change) => change.service),
          );
          await walked.program(state);
          previous = table;
          const listing = await new KernelTable(netns.nft, family, SHAPE).read();
          assert.ok(listing !== undefined && listing !== 'foreign', name);
          assert.deepEqual(elements(listing), elements(walked.listing), `${name}: ${state.when ?? ''}`);
          assert.deepEqual(chains(listing), chains(walked.listing), name);
        }
        const restarted = new NftablesBackend(netns.nft);
        await restarted.observe();
        assert.deepEqual(await restarted.apply(previous, []), { writes: 0 }, name);
      }
    });

  test('only families that the node has get a table', async () => {
    const backend = new NftablesBackend(netns.nft);
    await backend.apply(tableOf({ services: [service()], slices: [slice(['b'])] }), []);
    const families = (await netns.nft.listTables()).map(({ family }) => family);
    assert.deepEqual(families, ['ip']);
  });

  test('probe: this kernel has everything, and nothing is left of the asking; what is missing is said in words', async () => {
    assert.deepEqual(await new NftablesBackend(netns.nft).probe(), []);
    assert.deepEqual(await netns.nft.listTables(), []);
    const without = (text: string) => ({
      run: (script: string) =>
        script.includes(text) ? Promise.reject(new Error('Operation not supported')) : netns.nft.run(script),
    });
    const [one, ...more] = await probeNft(without('flags interval'), FEATURES);
    assert.match(one ?? '', /^missing: ranges in concatenations.*Operation not supported$/);
    assert.deepEqual(more, []);
    assert.equal((await probeNft(without('add table'), FEATURES)).length, 1);
  });

  test('cleanup removes our tables and leaves everyone else’s', async () => {
    await netns.nft.run(
      'add table ip docker\nadd chain ip docker x\nadd table inet podway-masq\nadd table inet podway\n',
    );
    const backend = new NftablesBackend(netns.nft);
    await backend.apply(tableOf({ services: [service()], slices: [slice(['b'])] }), []);
    await backend.cleanup();
    await backend.cleanup();
    const names = (await netns.nft.listTables()).map(({ family, name }) => `${family} ${name}`);
    assert.deepEqual(names.sort(), ['inet podway', 'inet podway-masq', 'ip docker']);
    await netns.nft.run('flush ruleset\n');
  });

  test('a flushed ruleset is noticed and made good', async () => {
    const backend = new NftablesBackend(netns.nft);
    const table = tableOf({ services: [service()], slices: [slice(['b'])] });
    await backend.apply(table, []);
    assert.equal(await backend.intact(), true);
    await netns.nft.run('flush ruleset\n');
    assert.equal(await backend.intact(), false);
    await backend.observe();
    await backend.apply(table, []);
    assert.equal(await backend.intact(), true);
  });

  test('a rule that someone has added is noticed within some checks', async () => {
    const backend = new NftablesBackend(netns.nft);
    const table = tableOf({ services: [service()], slices: [slice(['b'])] });
    await backend.apply(table, []);
    await netns.nft.run('insert rule ip podway prerouting drop\n');
    const checks = [];
    for (let i = 0; i < 20; i++) checks.push(await backend.intact());
    assert.ok(checks.includes(false));
    // Put right in one transaction: no packet finds the table away.
    const generation = netns.nft.generation();
    await backend.observe();
    assert.equal(netns.nft.generation(), generation + 1);
    await backend.apply(table, []);
    const listing = await new KernelTable(netns.nft, 'IPv4', SHAPE).read();
    assert.ok(listing !== undefined && listing !== 'foreign');
    assert.equal(listing.chains.find(({ name }) => name === 'prerouting')?.rules.length, 1);
  });

  for (const damage of [
    'insert rule ip podway prerouting meta nftrace set 1',
    'insert rule ip podway prerouting counter log',
    'add rule ip podway source_outside_cluster masquerade fully-random',
    'flush chain ip podway source_outside_cluster; add rule ip podway source_outside_cluster masquerade random',
    'add chain ip podway filter_forward { policy drop; }',
  ])
    test(`what others did is put right with the table in place: ${damage}`, async () => {
      const backend = new NftablesBackend(netns.nft);
      const table = tableOf({ services: [service()], slices: [slice(['b'])] });
      await backend.apply(table, []);
      const list = async () => JSON.stringify(await netns.nft.listTable('ip', 'podway'));
      const before = (await list()).replaceAll(/"handle": ?\d+/g, '');
      const [, tableHandle] = /"table":.*?"handle": ?(\d+)/.exec(await list()) ?? [];
      await netns.nft.run(`${damage}\n`);
      assert.equal(await backend.intact(), false);
      await backend.observe();
      await backend.apply(table, []);
      assert.equal((await list()).replaceAll(/"handle": ?\d+/g, ''), before);
      assert.equal(/"table":.*?"handle": ?(\d+)/.exec(await list())?.[1], tableHandle);
      assert.equal(await backend.intact(), true);
    });

  test('tables that sleep: ours is made anew, another one disturbs nobody', async () => {
    const backend = new NftablesBackend(netns.nft);
    const table = tableOf({ services: [service()], slices: [slice(['b'])] });
    await netns.nft.run('add table ip another { flags dormant; }\n');
    await backend.apply(table, []);
    const before = await new KernelTable(netns.nft, 'IPv4', SHAPE).read();
    assert.equal(await backend.intact(), true);
    await netns.nft.run('add table ip podway { flags dormant; }\n');
    assert.equal(await backend.intact(), false);
    await backend.observe();
    await backend.apply(table, []);
    assert.deepEqual(await new KernelTable(netns.nft, 'IPv4', SHAPE).read(), before);
    assert.equal(await backend.intact(), true);
    await netns.nft.run('delete table ip another\n');
  });

  for (const family of IP_FAMILIES)
    test(`${family}: chains that nothing goes to any more are removed`, async () => {
      const facts = inFamily(family, FACTS);
      const backend = new NftablesBackend(netns.nft);
      const { endpoints: _, ...rest } = slice([]);
      for (let count = 20; count < 60; count++) {
        const sessionAffinityConfig = { clientIP: { timeoutSeconds: count } };
        const endpoints = Array.from({ length: count }, (__, i) => ({ addresses: [`10.244.2.${i + 1}`] }));
        const objects = inFamily(family, {
          service: service({ sessionAffinity: 'ClientIP', sessionAffinityConfig }),
          slice: { ...rest, endpoints },
        });
        await backend.apply(buildTable([objects.service], [objects.slice], facts), ['default/web']);
      }
      const listing = await new KernelTable(netns.nft, family, SHAPE).read();
      assert.ok(listing !== undefined && listing !== 'foreign');
      const names = listing.chains.map(({ name }) => name);
      assert.ok(names.includes('sticky_ep59') && !names.includes('sticky_ep20'), names.join());
      assert.equal(await backend.intact(), true);
    });
});
