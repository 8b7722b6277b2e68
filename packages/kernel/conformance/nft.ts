import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NftElementChange } from '../ports/nft.ts';
import { type Fixture, refusesLater } from './fixture.ts';

export function nftConformance(given: Fixture): void {
  describe('nft', () => {
    const script = `table ip t {
      map m { type ipv4_addr . inet_proto . inet_service : verdict; }
      set s { type ipv4_addr; flags timeout; }
      chain one { }
      chain two { }
    }
    `;
    const element = (last: number, chain = 'one'): NftElementChange => ({
      ...{ op: 'add', family: 'ip', table: 't', set: 'm' },
      key: [Uint8Array.of(10, 96, 0, last), Uint8Array.of(6), Uint8Array.of(0, 80)],
      data: { verdict: { kind: 'goto', chain } },
    });
    const remove = ({ data: _, ...rest }: NftElementChange): NftElementChange => ({
      ...rest,
      op: 'delete',
    });
    test('run: makes and deletes tables, each namespace its own', async () => {
      await given.netns.nft.run(script);
      await given.netns.nft.run(script);
      assert.deepEqual(await given.netns.nft.listTables(), [{ family: 'ip', name: 't' }]);
      assert.deepEqual(await given.other.nft.listTables(), []);
      await given.netns.nft.run('delete table ip t');
      assert.deepEqual(await given.netns.nft.listTables(), []);
      await refusesLater('ENOENT', () => given.netns.nft.run('delete table ip t'));
      assert.equal(await given.netns.nft.listTable('ip', 't'), undefined);
    });
    test('elements: add, again, change by delete and add, delete', async () => {
      await given.netns.nft.run(script);
      await given.netns.nft.elements([]);
      await given.netns.nft.elements([element(1), element(2)]);
      await given.netns.nft.elements([element(1)]);
      await refusesLater('EEXIST', () => given.netns.nft.elements([element(1, 'two')]));
      await given.netns.nft.elements([remove(element(1)), element(1, 'two')]);
      await refusesLater('EEXIST', () => given.netns.nft.elements([element(1)]));
      await given.netns.nft.elements([remove(element(1)), remove(element(2))]);
      await refusesLater('ENOENT', () => given.netns.nft.elements([remove(element(1))]));
    });
    test('elements: all or nothing, and the error names the element', async () => {
      await given.netns.nft.run(script);
      await given.netns.nft.elements([element(1)]);
      await assert.rejects(
        given.netns.nft.elements([element(2), element(3), remove(element(9)), element(4)]),
        /delete ip t m \{ 0a600009.*ENOENT/,
      );
      for (const last of [2, 3, 4])
        await refusesLater('ENOENT', () => given.netns.nft.elements([remove(element(last))]));
    });
    test('elements: refuses a missing set, table or chain, and data that does not fit', async () => {
      await given.netns.nft.run(script);
      await refusesLater('ENOENT', () => given.netns.nft.elements([{ ...element(1), set: 'none' }]));
      await refusesLater('ENOENT', () => given.netns.nft.elements([{ ...element(1), table: 'none' }]));
      await refusesLater('ENOENT', () => given.netns.nft.elements([element(1, 'none')]));
      await refusesLater('EINVAL', () => given.netns.nft.elements([{ ...remove(element(1)), op: 'add' }]));
    });
    test('generation: one more after each transaction, and only then', async () => {
      await given.netns.nft.run(script);
      const before = given.netns.nft.generation();
      assert.equal(given.netns.nft.generation(), before);
      await given.netns.nft.elements([element(1), element(2)]);
      assert.equal(given.netns.nft.generation(), before + 1);
      await given.netns.nft.elements([remove(element(1))]);
      assert.equal(given.netns.nft.generation(), before + 2);
    });
    test('listElements: what was put in, as the kernel keeps it; removal by what was listed', async () => {
      await given.netns.nft.run(script);
      const commented = { ...element(2), comment: 'default/web:http' };
      const timed: NftElementChange = {
        ...{
          op: 'add',
          family: 'ip',
          table: 't',
          set: 's',
          key: [Uint8Array.of(10, 0, 0, 1)],
          timeout: 60_000,
        },
      };
      await given.netns.nft.elements([element(1, 'two'), commented, timed]);
      const listed = async () =>
        [...(await given.netns.nft.listElements('ip', 't', 'm'))].sort((a, b) =>
          Buffer.compare(a.key, b.key),
        );
      const key = (last: number) => Uint8Array.of(10, 96, 0, last, 6, 0, 0, 0, 0, 80, 0, 0);
      assert.deepEqual(await listed(), [
        { key: key(1), data: { verdict: { kind: 'goto', chain: 'two' } } },
        { key: key(2), data: { verdict: { kind: 'goto', chain: 'one' } }, comment: 'default/web:http' },
      ]);
      assert.deepEqual(await given.netns.nft.listElements('ip', 't', 's'), [
        { key: Uint8Array.of(10, 0, 0, 1), timeout: 60_000 },
      ]);
      await given.netns.nft.elements(
        (await listed()).map(({ key }) => ({ op: 'delete', family: 'ip', table: 't', set: 'm', key: [key] })),
      );
      assert.deepEqual(await listed(), []);
      await refusesLater('ENOENT', () => given.netns.nft.listElements('ip', 't', 'none'));
      await refusesLater('ENOENT', () => given.netns.nft.listElements('ip', 'none', 'm'));
    });
    test('elements: timeouts and comments', async () => {
      await given.netns.nft.run(script);
      const change: NftElementChange = {
        ...{ op: 'add', family: 'ip', table: 't', set: 's', key: [Uint8Array.of(10, 0, 0, 1)] },
        ...{ timeout: 60_000, comment: 'default/web' },
      };
      await given.netns.nft.elements([change]);
      await given.netns.nft.elements([{ ...change, op: 'delete' }]);
      await refusesLater('EINVAL', () => given.netns.nft.elements([{ ...element(1), timeout: 1000 }]));
      await refusesLater('EINVAL', () => given.netns.nft.elements([{ ...change, comment: 'x'.repeat(129) }]));
    });
  });
}
