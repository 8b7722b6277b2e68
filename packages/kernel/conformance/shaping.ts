import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Fixture, refuses } from './fixture.ts';

export function shapingConformance(given: Fixture): void {
  describe('shaping', () => {
    const limit = { rate: 10_000_000, burst: 800_000 };
    const near = (value = 0, wanted: number) => Math.abs(value - wanted) < wanted / 100;

    test('limit, limitOf, unlimit', () => {
      given.pair();
      given.netns.shaping.unlimit('a');
      assert.equal(given.netns.shaping.limitOf('a'), undefined);
      given.netns.shaping.limit('a', limit);
      given.netns.shaping.limit('a', { ...limit, rate: 100_000_000_000 });
      const got = given.netns.shaping.limitOf('a');
      assert.ok(near(got?.rate, 100_000_000_000) && near(got?.burst, limit.burst), JSON.stringify(got));
      given.netns.shaping.unlimit('a');
      given.netns.shaping.unlimit('a');
      given.netns.shaping.unlimit('none');
      assert.deepEqual(
        [given.netns.shaping.limitOf('a'), given.netns.shaping.limitOf('none')],
        [undefined, undefined],
      );
      refuses('ENODEV', () => given.netns.shaping.limit('none', limit));
      assert.throws(
        () => given.netns.shaping.limit('a', { ...limit, burst: 1 }),
        /burst of a: invalid value 1/,
      );
      assert.throws(() => given.netns.shaping.limit('a', { ...limit, rate: Number.NaN }), /rate of a/);
    });
    test('redirectIngress, redirectOf, unredirectIngress', () => {
      given.pair();
      given.netns.links.add({ kind: 'ifb', name: 'ifb-a', up: true });
      given.netns.links.add({ kind: 'ifb', name: 'ifb-b', up: true });
      given.netns.shaping.redirectIngress('a', 'ifb-a');
      given.netns.shaping.redirectIngress('a', 'ifb-b');
      assert.equal(given.netns.shaping.redirectOf('a'), 'ifb-b');
      assert.equal(given.netns.shaping.redirectOf('ifb-b'), undefined);
      given.netns.shaping.unredirectIngress('a');
      given.netns.shaping.unredirectIngress('a');
      assert.equal(given.netns.shaping.redirectOf('a'), undefined);
      refuses('ENODEV', () => given.netns.shaping.redirectIngress('a', 'none'));
      refuses('ENODEV', () => given.netns.shaping.redirectIngress('none', 'ifb-a'));
    });
  });
}
