import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FACTS, service, slice } from '../../behaviour/cluster.ts';
import { buildTable, type ServiceTable } from '../../table/table.ts';
import { Difference } from '../nft/difference.ts';
import { ServiceElements } from '../nft/service-elements.ts';
import { LAYOUT } from './layout.ts';

const tableOf = (...endpoints: readonly ('b' | 'c')[]) =>
  buildTable([service()], [slice([...endpoints])], FACTS);
const EMPTY = buildTable([], [], FACTS);
const namesOf = (table: ServiceTable) => [...table.services.keys()];
const given = () => new ServiceElements(LAYOUT, 'IPv4');

/** A family's elements that have taken `table`, and what that came to. */
function holding(table: ServiceTable) {
  const elements = given();
  const difference = elements.change(table, namesOf(table));
  return { elements, difference };
}

describe('ServiceElements', () => {
  test('change: a new Service is adds alone, one that goes takes as many away', () => {
    const { elements, difference } = holding(tableOf('b', 'c'));
    assert.ok(difference.adds.length > 0);
    assert.deepEqual([difference.deletes.length, elements.size], [0, 1]);
    const gone = elements.change(EMPTY, namesOf(tableOf()));
    assert.deepEqual([gone.adds.length, gone.deletes.length], [0, difference.adds.length]);
    assert.equal(elements.size, 0);
  });

  test('change: the same decisions come to nothing', () => {
    const table = tableOf('b');
    const { elements } = holding(table);
    assert.equal(elements.change(table, namesOf(table)).size, 0);
  });

  test('change: an endpoint in place of another is the same element with other data, and no chain is touched', () => {
    const { elements } = holding(tableOf('b'));
    const { adds, deletes } = elements.change(tableOf('c'), namesOf(tableOf('c')));
    assert.deepEqual(
      adds.map(({ set }) => set),
      ['tcp_endpoints'],
    );
    // The one that left is on this node: its way back to itself goes too.
    assert.deepEqual(deletes.map(({ set }) => set).sort(), ['hairpins', 'tcp_endpoints']);
    assert.equal(deletes.find(({ set }) => set === 'tcp_endpoints')?.key, adds[0]?.key);
  });

  test('adopt: what is there already is no change, and nobody’s is left over', () => {
    const table = tableOf('b', 'c');
    const observed = new Map<string, Map<string, string>>();
    for (const { set, key, value } of holding(table).difference.adds)
      observed.set(set, (observed.get(set) ?? new Map()).set(key, value));
    observed.get('services')?.set('192.0.2.1 . tcp . 80', 'drop');
    const difference = new Difference();
    const elements = given();
    for (const [name, entry] of table.services) elements.adopt(name, entry, observed, difference);
    assert.equal(difference.size, 0);
    assert.deepEqual(
      [...observed.values()].flatMap((left) => [...left.keys()]),
      ['192.0.2.1 . tcp . 80'],
    );
    assert.deepEqual([...elements.all()].flat().length, [...holding(table).elements.all()].flat().length);
  });

  test('sample: goes round the Services, and ends when there is none', () => {
    assert.deepEqual(given().sample(5), []);
    const { elements } = holding(tableOf('b'));
    const all = [...elements.all()].flat();
    assert.deepEqual(elements.sample(1), all);
    assert.deepEqual(elements.sample(1), all);
  });
});
