import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Group, newGroupSize, rolloutBounds, scaleProportionally, shrinkOld } from './rollout.ts';

const spec = (replicas: number, maxSurge: number | string, maxUnavailable: number | string) => ({
  replicas,
  selector: {},
  template: {},
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
});

test('rolloutBounds: percentages round up for surge and down for unavailable', () => {
  const table = [
    [10, '25%', '25%', 3, 2],
    [3, '25%', '25%', 1, 0],
    [1, '25%', '25%', 1, 0],
    [4, 2, 0, 2, 0],
    [10, 0, '5%', 0, 1],
    [10, 0, 0, 0, 1],
    [10, '100%', '100%', 10, 10],
    [2, 0, 5, 0, 2],
    [0, '25%', '25%', 0, 0],
  ] as const;
  for (const [replicas, maxSurge, maxUnavailable, surge, unavailable] of table)
    assert.deepEqual(
      rolloutBounds(spec(replicas, maxSurge, maxUnavailable)),
      { surge, unavailable },
      `${replicas} ${maxSurge} ${maxUnavailable}`,
    );
});

test('rolloutBounds: a quarter of each when nothing is said, nothing for Recreate', () => {
  assert.deepEqual(rolloutBounds({ replicas: 4, selector: {}, template: {} }), { surge: 1, unavailable: 1 });
  assert.deepEqual(
    rolloutBounds({ replicas: 4, selector: {}, template: {}, strategy: { type: 'Recreate' } }),
    {
      surge: 0,
      unavailable: 0,
    },
  );
});

test('newGroupSize: grows into the room that surge leaves', () => {
  const bounds = { surge: 2, unavailable: 1 };
  const table = [
    ['nothing old', 10, 0, 0, 10],
    ['all old', 10, 0, 10, 2],
    ['half way', 10, 5, 5, 7],
    ['no room', 10, 2, 10, 2],
    ['over the wish', 10, 12, 0, 10],
    ['nearly there', 10, 9, 1, 10],
  ] as const;
  for (const [what, wanted, current, others, size] of table)
    assert.equal(newGroupSize(wanted, bounds, current, others), size, what);
});

const group = (name: string, replicas: number, available = replicas): Group => ({
  name,
  replicas,
  available,
});

test('shrinkOld: takes what serves nobody first, then what the new ones stand in for', () => {
  const bounds = { surge: 1, unavailable: 1 };
  const table = [
    ['nothing is new yet', group('new', 0, 0), [group('a', 4)], { a: 3 }],
    ['the new are not available', group('new', 2, 0), [group('a', 3)], {}],
    ['one new is available', group('new', 2, 1), [group('a', 3)], { a: 2 }],
    ['broken old ones go though the new are not ready', group('new', 1, 0), [group('a', 4, 2)], { a: 3 }],
    ['oldest first', group('new', 4), [group('a', 1), group('b', 2)], { a: 0, b: 0 }],
    ['enough must stay', group('new', 1, 1), [group('a', 2), group('b', 2)], { a: 0 }],
  ] as const;
  for (const [what, fresh, old, sizes] of table)
    assert.deepEqual(Object.fromEntries(shrinkOld(4, bounds, fresh, old)), sizes, what);
});

test('shrinkOld: never leaves fewer available than allowed, never takes more than there is', () => {
  const groupOf = (name: string) =>
    fc
      .tuple(fc.nat(10), fc.nat(10))
      .map(([replicas, available]) => group(name, replicas, Math.min(replicas, available)));
  const groups = fc.tuple(groupOf('new'), groupOf('a'), groupOf('b'));
  fc.assert(
    fc.property(groups, fc.integer({ min: 1, max: 10 }), fc.nat(10), (found, wanted, unavailable) => {
      const [fresh, ...old] = found;
      const bounds = { surge: 1, unavailable: Math.min(unavailable, wanted) };
      const sizes = shrinkOld(wanted, bounds, fresh, old);
      const before = found.reduce((sum, { available }) => sum + available, 0);
      // What is taken from a group beyond its useless Pods was available.
      const after =
        fresh.available +
        old.reduce((sum, one) => sum + Math.min(one.available, sizes.get(one.name) ?? one.replicas), 0);
      assert.ok(after >= Math.min(before, wanted - bounds.unavailable));
      for (const one of old) {
        const size = sizes.get(one.name) ?? one.replicas;
        assert.ok(size >= 0 && size <= one.replicas);
      }
    }),
  );
});

test('scaleProportionally: spreads a change by size, the largest takes the rest', () => {
  const table = [
    ['the example of the Kubernetes docs', 18, [group('old', 8), group('new', 5)], { old: 11, new: 7 }],
    ['down', 6, [group('old', 8), group('new', 4)], { old: 4, new: 2 }],
    ['to nothing', 0, [group('old', 8), group('new', 4)], { old: 0, new: 0 }],
    ['no change', 12, [group('old', 8), group('new', 4)], {}],
    ['too little to share', 13, [group('old', 6), group('new', 6)], { old: 7 }],
  ] as const;
  for (const [what, allowed, groups, sizes] of table)
    assert.deepEqual(Object.fromEntries(scaleProportionally(allowed, groups)), sizes, what);
});

test('scaleProportionally: the sum is what was allowed, and nothing is negative', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(sizes, fc.nat(200), (found, allowed) => {
      const groups = found.map((size, index) => group(`g${index}`, size));
      const changed = scaleProportionally(allowed, groups);
      const after = groups.map(({ name, replicas }) => changed.get(name) ?? replicas);
      assert.equal(
        after.reduce((a, b) => a + b),
        allowed,
      );
      assert.ok(after.every((size) => size >= 0));
    }),
  );
});
