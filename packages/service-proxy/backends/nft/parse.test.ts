import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseListing, UnknownNftError } from './parse.ts';

const chain = { chain: { family: 'ip', table: 'podway', name: 'c' } };
const rule = (...expr: readonly unknown[]) => [chain, { rule: { chain: 'c', expr } }];
const parsed = (objects: readonly unknown[]) => parseListing(objects).chains[0]?.rules[0];

describe('parseListing', () => {
  test('puts back the protocol that a listing leaves out', () => {
    assert.deepEqual(parsed(rule({ reject: { type: 'tcp reset' } })), [
      { do: 'match', field: 'l4proto', values: ['tcp'] },
      { do: 'reject', with: 'tcp reset' },
    ]);
  });

  test('reads a destination that is kept', () => {
    assert.deepEqual(parsed(rule({ dnat: { addr: { payload: { protocol: 'ip', field: 'daddr' } } } })), [
      { do: 'keep destination' },
    ]);
  });

  test('reads what a rule does to a map, which nft 1.0 gives as text', () => {
    const key = 'ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst';
    assert.deepEqual(parsed(rule(`update @affinity { ${key} timeout 1d2h3m4s : ip daddr . udp dport }`)), [
      { do: 'match', field: 'l4proto', values: ['udp'] },
      {
        do: 'learn',
        key: ['saddr', 'ct original daddr', 'l4proto', 'ct original dport'],
        map: 'affinity',
        data: ['daddr', 'dport'],
        timeout: 93_784,
      },
    ]);
  });

  test('elements: prefixes, concatenations and verdicts as text; learned ones are left out', () => {
    const prefix = { prefix: { addr: '10.0.0.0', len: 8 } };
    const { elements, sets } = parseListing([
      { set: { name: 'r', elem: [{ concat: ['1.2.3.4', 'tcp', 80, prefix] }, prefix] } },
      {
        map: {
          name: 'm',
          elem: [
            ['1.2.3.4', { drop: null }],
            ['1.2.3.5', { goto: { target: 'ep1' } }],
          ],
        },
      },
      { map: { name: 'l', flags: ['timeout'], elem: [['1.2.3.4', '1.2.3.5']] } },
    ]);
    assert.deepEqual(sets, ['r', 'm', 'l']);
    assert.deepEqual(
      elements.map((element) => Object.values(element).join('|')),
      ['r|1.2.3.4 . tcp . 80 . 10.0.0.0/8|', 'r|10.0.0.0/8|', 'm|1.2.3.4|drop', 'm|1.2.3.5|goto ep1'],
    );
  });

  const unknownRules: readonly (readonly [string, readonly unknown[]])[] = [
    ['statement', rule({ counter: { packets: 0, bytes: 0 } })],
    ['masquerade', rule({ masquerade: { flags: 'fully-random' } })],
    ['dnat', rule({ dnat: { addr: { payload: { protocol: 'ip', field: 'daddr' } }, flags: 'random' } })],
    ['field', rule({ match: { op: '==', left: { meta: { key: 'mark' } }, right: 1 } })],
    ['field of a connection', rule({ match: { op: 'in', left: { ct: { key: 'mark' } }, right: 1 } })],
    ['comparison', rule({ match: { op: '<', left: { meta: { key: 'l4proto' } }, right: 'tcp' } })],
    ['reject', rule({ reject: { type: 'icmp', expr: 'admin-prohibited' } })],
    ['map update', rule('add @affinity { ip saddr : ip daddr }')],
  ];
  for (const [what, objects] of unknownRules)
    test(`a rule with an unknown ${what} is kept as one that nothing equals`, () => {
      const [statement, ...more] = parsed(objects) ?? [];
      assert.ok(statement?.do === 'unknown' && more.length === 0);
      assert.match(statement.what, /^unknown nftables /);
    });

  test('a policy', () => {
    const { chains } = parseListing([
      { chain: { name: 'c', type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
    ]);
    assert.deepEqual(chains[0]?.hook, { type: 'filter', at: 'input', priority: 0, policy: 'drop' });
  });

  const unknown: readonly (readonly [string, readonly unknown[]])[] = [
    ['object', [{ flowtable: { name: 'f' } }]],
    ['hook', [{ chain: { name: 'c', type: 'filter', hook: 'ingress', prio: 0 } }]],
    ['chain', [{ rule: { chain: 'gone', expr: [] } }]],
  ];
  for (const [what, objects] of unknown)
    test(`an unknown ${what} is an error, never passed over`, () => {
      assert.throws(() => parseListing(objects), UnknownNftError);
    });
});
