import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp, parsePrefix } from '#ip';
import { FakeClock, seededRandom } from '#runtime';
import { type Endpoint, type Frontend, REJECT } from '../../table/entry.ts';
import { EndpointChoice } from './endpoint-choice.ts';
import { type RelayedFrontend, relayed } from './relay-messages.ts';

const CLIENT = parseIp('10.244.1.10');
const OTHER = parseIp('198.51.100.10');

const endpoint = (i: number): Endpoint => ({ address: parseIp(`10.244.2.${i}`), port: 8080, local: false });
const endpoints = (...numbers: number[]) => ({
  kind: 'endpoints' as const,
  endpoints: numbers.map(endpoint),
});
const frontend = (more: Partial<Frontend> = {}): RelayedFrontend => relayed(frontendOf(more));
const frontendOf = (more: Partial<Frontend>): Frontend => ({
  kind: 'ClusterIP',
  portName: '',
  family: 'IPv4',
  address: parseIp('10.96.0.1'),
  protocol: 'TCP',
  port: 80,
  elsewhere: false,
  target: endpoints(1, 2, 3),
  outside: undefined,
  masquerade: 'none',
  sourceRanges: undefined,
  affinitySeconds: undefined,
  serving: [],
  ...more,
});

describe('EndpointChoice', () => {
  const clock = new FakeClock();
  const make = (more: Partial<Frontend> = {}) =>
    new EndpointChoice(frontend(more), clock, seededRandom(1), (source) => source === CLIENT);
  const numbers = (choice: EndpointChoice, source = CLIENT) =>
    choice.candidates(source).map(({ address }) => Number(address.split('.')[3]));

  test('candidates: every endpoint once, each of them first at times, four of many', () => {
    const choice = make();
    const firsts = new Set<number | undefined>();
    for (let i = 0; i < 50; i++) {
      const list = numbers(choice);
      assert.deepEqual([...list].sort(), [1, 2, 3]);
      firsts.add(list[0]);
    }
    assert.equal(firsts.size, 3);
    choice.frontend = frontend({ target: endpoints(1, 2, 3, 4, 5, 6) });
    for (let i = 0; i < 50; i++) assert.equal(new Set(numbers(choice)).size, 4);
  });

  test('candidates: clients outside have a pool of their own where the policy says so', () => {
    const choice = make({ outside: endpoints(7) });
    assert.deepEqual(numbers(choice, CLIENT).sort(), [1, 2, 3]);
    assert.deepEqual(numbers(choice, OTHER), [7]);
    choice.frontend = frontend({ outside: REJECT });
    assert.deepEqual(numbers(choice, OTHER), []);
  });

  test('candidates: nothing for a source that is not allowed', () => {
    const choice = make({ sourceRanges: [parsePrefix('10.244.0.0/16')] });
    assert.equal(numbers(choice, CLIENT).length, 3);
    assert.deepEqual(numbers(choice, OTHER), []);
  });

  test('taken: with affinity the client comes first to the same endpoint until so long after its last connection', () => {
    const choice = make({ affinitySeconds: 10 });
    choice.taken(CLIENT, endpoint(2));
    for (let i = 0; i < 5; i++) {
      clock.advance(9_000);
      assert.equal(numbers(choice)[0], 2);
      choice.taken(CLIENT, endpoint(2));
    }
    choice.frontend = frontend({ affinitySeconds: 10, target: endpoints(1, 3) });
    assert.deepEqual(numbers(choice).sort(), [1, 3], 'its endpoint is gone');
    choice.frontend = frontend({ affinitySeconds: 10 });
    clock.advance(10_000);
    const firsts = new Set(Array.from({ length: 30 }, () => numbers(choice)[0]));
    assert.equal(firsts.size, 3);
  });

  test('taken: without affinity nothing is remembered, and what was is forgotten', () => {
    const choice = make({ affinitySeconds: 10 });
    choice.taken(CLIENT, endpoint(2));
    choice.frontend = frontend();
    choice.frontend = frontend({ affinitySeconds: 10 });
    const firsts = new Set(Array.from({ length: 30 }, () => numbers(choice)[0]));
    assert.equal(firsts.size, 3);
  });
});
