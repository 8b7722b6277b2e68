import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EndpointHistory } from './endpoint-history.ts';

const GRACE_MS = 100;
const due = (acknowledged: number) => acknowledged + GRACE_MS;
const ask = (begun: number, outcome: string, protocol: 'tcp' | 'udp' = 'tcp') => ({
  ...{ target: '10.96.0.1', protocol, begun, ended: begun + 10, outcome },
});

describe('EndpointHistory', () => {
  const history = new EndpointHistory();
  history.change(['a', 'b'], 0)(5);
  history.change([], 1000)(1010);
  history.change(['c'], 2000)(2010);

  const cases: readonly (readonly [number, string, string | undefined])[] = [
    [500, 'a', undefined],
    [500, 'c', 'c'],
    [500, 'refused', 'refused'],
    [1105, 'a', undefined],
    [1115, 'a', 'a, 5 ms too late'],
    [1500, 'refused', undefined],
    [2105, 'refused', undefined],
    [2115, 'refused', 'refused, 5 ms too late'],
    [1995, 'c', undefined],
    [1980, 'c', 'c'],
    [500, 'reset', 'reset'],
  ];
  for (const [begun, outcome, problem] of cases)
    test(`problem: "${outcome}" at ${begun} is ${problem === undefined ? 'right' : 'wrong'}`, () => {
      assert.equal(history.problem(ask(begun, outcome), due), problem);
    });

  test('problem: a datagram may be lost while endpoints change, a connection may not', () => {
    const moved = new EndpointHistory();
    moved.change(['a'], 0)(0);
    moved.change(['b'], 1000)(1010);
    assert.equal(moved.problem(ask(1050, 'silence', 'udp'), due), undefined);
    assert.equal(moved.problem(ask(1050, 'silence', 'tcp'), due), 'silence');
    assert.equal(moved.problem(ask(1500, 'silence', 'udp'), due), 'silence');
  });
});
