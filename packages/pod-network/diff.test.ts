import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type IpPrefix, parseIp, parsePrefix } from '#ip';
import { ROUTE_PROTOCOL_PODWAY, ROUTE_TABLE_MAIN, type Route } from '#kernel';
import { diffRoutes, formatOperation } from './diff.ts';
import type { PlannedRoute } from './plan.ts';

const planned = (i: number, gateway = `172.30.0.${10 + i}`): PlannedRoute => ({
  destination: parsePrefix(`10.244.${i}.0/24`),
  gateway: parseIp(gateway),
  link: 'eth0',
  node: `node${i}`,
});

function kernelRoute(route: PlannedRoute, protocol = ROUTE_PROTOCOL_PODWAY, table = ROUTE_TABLE_MAIN): Route {
  return {
    destination: route.destination,
    gateway: route.gateway,
    link: route.link,
    type: 'unicast',
    source: undefined,
    scope: 'universe',
    table,
    metric: 0,
    mtu: undefined,
    protocol,
    onlink: false,
  };
}

function operations(desired: readonly PlannedRoute[], observed: readonly Route[]): readonly string[] {
  return diffRoutes(desired, observed).operations.map(formatOperation);
}

describe('diffRoutes', () => {
  const cases: readonly {
    readonly name: string;
    readonly desired: readonly PlannedRoute[];
    readonly observed: readonly Route[];
    readonly expected: readonly string[];
  }[] = [
    {
      name: 'nothing changed: nothing to do',
      desired: [planned(2)],
      observed: [kernelRoute(planned(2))],
      expected: [],
    },
    {
      name: 'a new node',
      desired: [planned(2)],
      observed: [],
      expected: ['replace route 10.244.2.0/24 via 172.30.0.12 dev eth0'],
    },
    {
      name: 'a node that is gone',
      desired: [],
      observed: [kernelRoute(planned(2))],
      expected: ['delete route 10.244.2.0/24 via 172.30.0.12 dev eth0'],
    },
    {
      name: 'a node with another address: replaced, never a moment without',
      desired: [planned(2, '172.30.0.99')],
      observed: [kernelRoute(planned(2))],
      expected: ['replace route 10.244.2.0/24 via 172.30.0.99 dev eth0'],
    },
    {
      name: 'somebody else’s route stays',
      desired: [],
      observed: [kernelRoute(planned(2), 4)],
      expected: [],
    },
    {
      name: 'our protocol in another table is not ours',
      desired: [],
      observed: [kernelRoute(planned(2), 93, 100)],
      expected: [],
    },
  ];
  for (const { name, desired, observed, expected } of cases)
    test(name, () => assert.deepEqual(operations(desired, observed), expected));

  test('somebody else’s route to a node’s Pods is reported and not touched', () => {
    const { operations: none, problems } = diffRoutes(
      [planned(2)],
      [kernelRoute(planned(2, '172.30.0.1'), 4)],
    );
    assert.deepEqual(none, []);
    assert.deepEqual(
      problems.map(({ node, reason }) => `${node} ${reason}`),
      ['node2 RouteTaken'],
    );
  });

  test('property: applying the difference gives the plan, and then nothing differs', () => {
    const routes = fc.uniqueArray(fc.tuple(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 1, max: 3 })), {
      selector: ([i]) => i,
    });
    fc.assert(
      fc.property(routes, routes, (wanted, there) => {
        const toPlan = (list: readonly (readonly [number, number])[]) =>
          list.map(([i, g]) => planned(i, `172.30.${g}.1`));
        const desired = toPlan(wanted);
        const kernel = new Map<IpPrefix, Route>(
          toPlan(there).map((route) => [route.destination, kernelRoute(route)]),
        );
        for (const { op, route } of diffRoutes(desired, [...kernel.values()]).operations)
          if (op === 'delete') kernel.delete(route.destination);
          else kernel.set(route.destination, kernelRoute(route));
        assert.deepEqual(operations(desired, [...kernel.values()]), []);
        assert.equal(kernel.size, desired.length);
      }),
    );
  });
});
