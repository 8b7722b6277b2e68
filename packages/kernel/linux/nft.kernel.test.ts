import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { NetworkNamespace } from '../ports/namespace.ts';
import type { NftElementChange } from '../ports/nft.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';

describe('LinuxNft', () => {
  const kernel = sandboxedKernel();
  let netns: NetworkNamespace;

  before(() => {
    netns = kernel.createNetns('/run/netns/nft');
  });
  after(() => {
    netns[Symbol.dispose]();
    kernel.deleteNetns('/run/netns/nft');
  });

  const rules = async (table: string) => JSON.stringify(await netns.nft.listTable('ip', table));

  test('run: link names are those of the namespace', async () => {
    netns.links.add({ kind: 'bridge', name: 'only-here' });
    const { index } = netns.links.get('only-here') ?? {};
    await netns.nft.run('table ip names { chain c { iif "only-here" accept; }; }\n');
    assert.match(await rules('names'), /"only-here"/);
    assert.ok(index !== undefined);
  });

  test('run: a long script is run by a worker, in the namespace, and the thread goes on', async () => {
    const lines = Array.from({ length: 4000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const script = `table ip long {
      set s { type ipv4_addr; elements = { ${lines.join(', ')} } }
      chain c { iif "only-here" accept
      }
    }\n`.padEnd(80_000, '\n');
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const small = netns.nft.run('table ip small { }\n');
    await Promise.all([netns.nft.run(script), small, netns.nft.run('table ip after { }\n')]);
    clearInterval(timer);
    assert.ok(turns > 0);
    assert.match(await rules('long'), /10\.1\.15\.159/);
    assert.match(await rules('long'), /only-here/);
    await assert.rejects(
      netns.nft.run(script.replace('only-here', 'nowhere')),
      /nowhere|Interface does not exist/,
    );
    using here = kernel.currentNetns();
    assert.deepEqual(await here.nft.listTables(), []);
  });

  test('run: the error carries what nft says', async () => {
    await assert.rejects(netns.nft.run('add rule ip none c accept\n'), {
      errno: 'ENOENT',
      message: /No such file or directory/,
    });
    await assert.rejects(netns.nft.run('nonsense\n'), { errno: 'EINVAL', message: /syntax error/ });
  });

  test('elements: verdicts, values, comments and timeouts are what nft lists', async () => {
    await netns.nft.run(`table inet e {
      chain target { }
      map verdicts { type ipv4_addr . inet_proto . inet_service : verdict; }
      map ends { type inet_service : ipv4_addr . inet_service; }
      map six { type ipv6_addr : mark; }
      set timed { type inet_service; flags timeout; }
      set ranges { type ipv4_addr . inet_service; flags interval; }
    }\n`);
    const in_ = (
      set: string,
      rest: Omit<NftElementChange, 'op' | 'family' | 'table' | 'set'>,
    ): NftElementChange => ({
      ...{ op: 'add', family: 'inet', table: 'e', set },
      ...rest,
    });
    const port = (n: number) => Uint8Array.of(n >> 8, n & 255);
    const v6 = new Uint8Array(16).fill(0xfd, 0, 1).fill(1, 15);
    await netns.nft.elements([
      in_('verdicts', {
        key: [Uint8Array.of(10, 96, 0, 1), Uint8Array.of(17), port(53)],
        data: { verdict: { kind: 'goto', chain: 'target' } },
        comment: 'kube-system/kube-dns:dns',
      }),
      in_('verdicts', {
        key: [Uint8Array.of(10, 96, 0, 2), Uint8Array.of(6), port(80)],
        data: { verdict: { kind: 'drop' } },
      }),
      in_('ends', { key: [port(80)], data: { value: [Uint8Array.of(10, 0, 0, 1), port(8080)] } }),
      in_('six', { key: [v6], data: { value: [Uint8Array.of(7, 0, 0, 0)] } }),
      in_('timed', { key: [port(443)], timeout: 3_600_000 }),
      in_('ranges', {
        key: [Uint8Array.of(10, 1, 0, 0), port(1)],
        keyEnd: [Uint8Array.of(10, 1, 0, 255), port(99)],
      }),
    ]);
    const text = JSON.stringify(await netns.nft.listTable('inet', 'e'));
    assert.match(
      text,
      /\{"concat":\["10.96.0.1","udp",53\]\},"comment":"kube-system\/kube-dns:dns"\}\},\{"goto":\{"target":"target"\}\}/,
    );
    assert.match(text, /\[\{"concat":\["10.96.0.2","tcp",80\]\},\{"drop":null\}\]/);
    assert.match(text, /\[80,\{"concat":\["10.0.0.1",8080\]\}\]/);
    assert.match(text, /\["fd00::1",7\]/);
    assert.match(text, /"val":443,"timeout":3600/);
    assert.match(text, /"addr":"10.1.0.0","len":24\}\},\{"range":\[1,99\]\}/);
  });

  test('elements: a large change is one transaction over many messages', async () => {
    await netns.nft.run('table ip large { set s { type ipv4_addr; }; }\n');
    const change = (i: number, op: 'add' | 'delete' = 'add'): NftElementChange => ({
      ...{ op, family: 'ip', table: 'large', set: 's' },
      key: [Uint8Array.of(10, i >> 16, (i >> 8) & 255, i & 255)],
    });
    const many = Array.from({ length: 20_000 }, (_, i) => change(i));
    await assert.rejects(
      netns.nft.elements([...many, change(99_999, 'delete')]),
      /delete ip large s \{ 0a01869f \}: ENOENT/,
    );
    assert.doesNotMatch(await rules('large'), /elem/);
    // Transactions go in the order of the calls, whether the one before is still under way or not.
    await Promise.all([
      netns.nft.elements(many),
      netns.nft.elements([change(7, 'delete')]),
      netns.nft.elements([change(7)]),
      netns.nft.elements([change(7, 'delete')]),
    ]);
    assert.equal((await netns.nft.listElements('ip', 'large', 's')).length, many.length - 1);
    assert.match(await rules('large'), /10\.0\.0\.6","10\.0\.0\.8/);
  });

  test('listRules: everything but the elements of named sets; addRules: what nft prints is what was meant', async () => {
    await netns.nft.run(`table ip6 raw {
      map seen { type ipv6_addr . inet_service : ipv6_addr . inet_service; flags dynamic, timeout; }
      set known { type ipv6_addr . inet_proto . inet_service; elements = { fd00::1 . tcp . 1 }; }
      chain c { }
    }
    `);
    await netns.nft.addRules('ip6', 'raw', 'c', [
      [
        { do: 'load', field: 'l4proto', to: 0 },
        { do: 'compare', register: 0, equals: Uint8Array.of(6) },
        { do: 'load', field: 'original daddr', to: 0 },
        { do: 'load', field: 'l4proto', to: 4 },
        { do: 'load', field: 'original dport', to: 5 },
        { do: 'lookup', set: 'known', key: 0 },
        { do: 'load', field: { header: 'network', offset: 8, length: 16 }, to: 0 },
        { do: 'load', field: 'original dport', to: 4 },
        { do: 'load', field: { header: 'network', offset: 24, length: 16 }, to: 5 },
        { do: 'load', field: { header: 'transport', offset: 2, length: 2 }, to: 9 },
        { do: 'update', set: 'seen', key: 0, data: 5, timeout: 30_000 },
        { do: 'verdict', verdict: 'return' },
      ],
      [{ do: 'verdict', verdict: 'drop' }],
    ]);
    const listed = JSON.stringify(await netns.nft.listRules('ip6', 'raw'));
    assert.match(listed, /"@known"/);
    assert.match(
      listed,
      /"update @seen \{ ip6 saddr . ct original proto-dst timeout 30s : ip6 daddr . tcp dport \}"/,
    );
    assert.match(listed, /"drop"/);
    assert.doesNotMatch(listed, /fd00::1/);
    assert.equal(await netns.nft.listRules('ip6', 'none'), undefined);
    const nothing = netns.nft.addRules('ip6', 'raw', 'none', [[{ do: 'verdict', verdict: 'drop' }]]);
    await assert.rejects(nothing, /add nft rules to ip6 raw none: ENOENT/);
  });
});
