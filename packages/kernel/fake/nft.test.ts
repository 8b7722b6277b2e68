import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeKernel } from './kernel.ts';
import { FakeLimitError } from './limit-error.ts';

describe('FakeNft', () => {
  test('run: reads tables, sets, maps and chains of a usual script, and keeps it', async () => {
    using netns = fakeKernel().currentNetns();
    const script = `add table ip podway
      delete table ip podway
      table ip podway {
        comment "made by podway" # a note
        map services {
          type ipv4_addr . inet_proto . inet_service : verdict
          flags timeout
        }
        chain ep1 {
          meta l4proto { tcp, udp } dnat ip to 10.0.0.1
        }
        chain prerouting { type nat hook prerouting priority dstnat; policy accept; ip daddr vmap @services; }
      }`;
    await netns.nft.run(script);
    assert.deepEqual(netns.nft.scripts, [script]);
    const key = [Uint8Array.of(10, 96, 0, 1), Uint8Array.of(6), Uint8Array.of(0, 80)];
    await netns.nft.elements([
      {
        op: 'add',
        family: 'ip',
        table: 'podway',
        set: 'services',
        key,
        data: { verdict: { kind: 'goto', chain: 'ep1' } },
      },
    ]);
    assert.deepEqual(await netns.nft.listElements('ip', 'podway', 'services'), [
      {
        key: Uint8Array.of(10, 96, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0),
        data: { verdict: { kind: 'goto', chain: 'ep1' } },
      },
    ]);
  });
  test('run: a script that fails changes nothing', async () => {
    using netns = fakeKernel().currentNetns();
    await assert.rejects(netns.nft.run('table ip a { }\ndelete table ip b\n'), { errno: 'ENOENT' });
    assert.deepEqual([await netns.nft.listTables(), netns.nft.scripts], [[], []]);
  });
  for (const script of [
    'add rule ip t c accept',
    'flush table ip t',
    'table ip t { flowtable f { } }',
    'table ip t { set s { type ipv4_addr; elements = { 10.0.0.1 } } }',
    'table ip t { chain c {',
    'table ip t { chain c }',
  ])
    test(`run: ${script}: beyond the fake, and it says so`, async () => {
      using netns = fakeKernel().currentNetns();
      await assert.rejects(netns.nft.run(script), FakeLimitError);
    });
  test('listTable: beyond the fake for a table that is there', async () => {
    using netns = fakeKernel().currentNetns();
    await netns.nft.run('table ip t { }');
    await assert.rejects(netns.nft.listTable('ip', 't'), FakeLimitError);
  });
});

describe('fakeKernel', () => {
  test('a namespace without pin or handle takes its veth peers with it', () => {
    const kernel = fakeKernel();
    using here = kernel.currentNetns();
    const pod = kernel.createNetns('/run/netns/pod');
    here.links.add({ kind: 'veth', name: 'veth0', peer: { name: 'eth0', netns: pod } });
    kernel.deleteNetns('/run/netns/pod');
    assert.ok(here.links.get('veth0'));
    pod[Symbol.dispose]();
    assert.equal(here.links.get('veth0'), undefined);
  });
  test('two fake kernels share nothing', () => {
    const [one, two] = [fakeKernel(), fakeKernel()];
    one.createNetns('/run/netns/x');
    assert.throws(() => two.openNetns('/run/netns/x'), { errno: 'ENOENT' });
  });
});
