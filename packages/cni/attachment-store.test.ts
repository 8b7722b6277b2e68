import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseIp, parsePrefix } from '#ip';
import { addressRange, rangeHolds } from './address-range.ts';
import { AttachmentStore, QUARANTINE_MS, type Reservation } from './attachment-store.ts';
import { CniError } from './errors.ts';

const SMALL = addressRange(parsePrefix('10.1.0.0/29'));
const IPV6 = addressRange(parsePrefix('fd00:1::/64'));

function reservation(containerId: string, extra: Partial<Reservation> = {}): Reservation {
  return {
    network: 'podway',
    containerId,
    ifName: 'eth0',
    netns: `/run/netns/${containerId}`,
    hostLink: `pod${containerId}`,
    portMappings: [],
    pod: undefined,
    ranges: [[SMALL]],
    fixed: [],
    ...extra,
  };
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'nothing thrown';
  } catch (error) {
    assert.ok(error instanceof CniError);
    return `${error.cniCode} ${error.message}${error.details === undefined ? '' : `; ${error.details}`}`;
  }
}

describe('AttachmentStore', () => {
  test('reserve: one address of each family, in order, never the gateway', () => {
    using store = new AttachmentStore(':memory:');
    const ranges = [[SMALL], [IPV6]];
    assert.deepEqual(store.reserve(reservation('a', { ranges }), 0).addresses, ['10.1.0.2', 'fd00:1::2']);
    assert.deepEqual(store.reserve(reservation('b', { ranges }), 0).addresses, ['10.1.0.3', 'fd00:1::3']);
    assert.deepEqual(store.get(reservation('a'))?.addresses, ['10.1.0.2', 'fd00:1::2']);
  });

  test('reserve: a full range is error 100 with the range and how many are used; a second range is used before', () => {
    using store = new AttachmentStore(':memory:');
    const second = addressRange(parsePrefix('10.2.0.0/30'));
    const ranges = [[SMALL, second]];
    for (let i = 0; i < 6; i++) store.reserve(reservation(`c${i}`, { ranges }), 0);
    assert.equal(store.get(reservation('c5'))?.addresses[0], '10.2.0.2');
    assert.equal(
      codeOf(() => store.reserve(reservation('x', { ranges }), 0)),
      '100 no address is left in 10.1.0.0/29 (5 of 5 used), 10.2.0.0/30 (1 of 1 used); end Pods on this node, or give nodes larger Pod CIDRs',
    );
    assert.equal(store.count(), 6);
  });

  test('release: an address rests before another Pod has it, and then comes back', () => {
    using store = new AttachmentStore(':memory:');
    for (let i = 0; i < 5; i++) store.reserve(reservation(`c${i}`), 0);
    store.release(reservation('c2'), 1000);
    assert.match(
      codeOf(() => store.reserve(reservation('x'), 1000)),
      /^11 no address is free yet in 10\.1\.0\.0\/29 \(4 of 5 used\); 1 rest for 10 s/,
    );
    assert.deepEqual(store.reserve(reservation('x'), 1000 + QUARANTINE_MS).addresses, ['10.1.0.4']);
  });

  test('fixed addresses: taken when free, refused outside the ranges (7) and when another Pod has them (102)', () => {
    using store = new AttachmentStore(':memory:');
    const fixed = (text: string) => ({ fixed: [parseIp(text)] });
    assert.deepEqual(store.reserve(reservation('a', fixed('10.1.0.5')), 0).addresses, ['10.1.0.5']);
    assert.equal(
      codeOf(() => store.reserve(reservation('b', fixed('10.1.0.5')), 0)),
      '102 address 10.1.0.5 is taken by container a (eth0)',
    );
    for (const text of ['10.9.0.1', '10.1.0.0', '10.1.0.1', '10.1.0.7'])
      assert.match(
        codeOf(() => store.reserve(reservation('b', fixed(text)), 0)),
        /^7 runtimeConfig\.ips: /,
      );
  });

  test('property: through any life no address is given twice, none is lost, and what is free is found', () => {
    const step = fc.record({
      container: fc.integer({ min: 0, max: 8 }),
      isAdd: fc.boolean(),
      ms: fc.integer({ min: 0, max: QUARANTINE_MS * 1.5 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        using store = new AttachmentStore(':memory:');
        const held = new Map<string, string>();
        const restUntil = new Map<string, number>();
        let now = 0;
        for (const { container, isAdd, ms } of steps) {
          now += ms;
          const wanted = reservation(`c${container}`);
          if (!isAdd) {
            const address = held.get(wanted.containerId);
            store.release(wanted, now);
            held.delete(wanted.containerId);
            if (address !== undefined) restUntil.set(address, now + QUARANTINE_MS);
          } else if (!held.has(wanted.containerId)) {
            const resting = [...restUntil].filter(
              ([address, until]) => until > now && ![...held.values()].includes(address),
            ).length;
            const hasRoom = held.size + resting < Number(SMALL.capacity);
            const code = codeOf(() => {
              const [address = ''] = store.reserve(wanted, now).addresses;
              assert.ok(rangeHolds(SMALL, parseIp(address)));
              assert.ok(![...held.values()].includes(address), `${address} given twice`);
              assert.ok((restUntil.get(address) ?? 0) <= now, `${address} given before it rested`);
              held.set(wanted.containerId, address);
            });
            assert.equal(code === 'nothing thrown', hasRoom, code);
          }
          assert.deepEqual(
            new Map(store.list().map(({ containerId, addresses }) => [containerId, addresses[0]])),
            new Map([...held].sort()),
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});
