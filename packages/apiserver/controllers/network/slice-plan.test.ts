import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IpFamily } from '#ip';
import type { Endpoint, EndpointPort, EndpointSlice } from '#kube-api';
import type { Stored } from '../base/stored.ts';
import { at, meta, service, slice } from '../testing/objects.ts';
import type { EndpointGroup } from './endpoints-of-pods.ts';
import { MANAGED_BY, planSlices, SERVICE_NAME, type SliceGoal, type SlicePlan } from './slice-plan.ts';

const HTTP: readonly EndpointPort[] = [{ name: 'http', port: 80, protocol: 'TCP' }];
const ADMIN: readonly EndpointPort[] = [{ name: 'http', port: 9000, protocol: 'TCP' }];
const labels = { [SERVICE_NAME]: 'web', [MANAGED_BY]: 'endpointslice-controller.k8s.io' };

const endpoint = (id: number, ready = true): Endpoint => ({
  addresses: [`10.0.${id >> 8}.${id & 255}`],
  conditions: { ready },
});
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => endpoint(from + i));
const goal = (groups: readonly EndpointGroup[], more: Partial<SliceGoal> = {}): SliceGoal => ({
  service: service('web'),
  manager: 'endpointslice-controller.k8s.io',
  groups: new Map<IpFamily, readonly EndpointGroup[]>([['IPv4', groups]]),
  ...more,
});
const held = (name: string, endpoints: readonly Endpoint[], ports = HTTP) =>
  slice(name, { endpoints, ports, metadata: { labels } });
const shape = ({ create, update, remove }: SlicePlan) => ({
  create: create.map(({ endpoints = [] }) => endpoints.length),
  update: Object.fromEntries(update.map(({ metadata, endpoints = [] }) => [metadata.name, endpoints.length])),
  remove: remove.map(({ metadata }) => metadata.name),
});

test('planSlices: the fewest writes', () => {
  const web = (endpoints: readonly Endpoint[]) => [{ ports: HTTP, endpoints }];
  const table = [
    ['nothing yet', web(range(0, 3)), [], { create: [3], update: {}, remove: [] }],
    ['no endpoints: one empty slice', [], [], { create: [0], update: {}, remove: [] }],
    ['as it should be', web(range(0, 3)), [held('a', range(0, 3))], { create: [], update: {}, remove: [] }],
    ['one more', web(range(0, 4)), [held('a', range(0, 3))], { create: [], update: { a: 4 }, remove: [] }],
    ['one less', web(range(0, 2)), [held('a', range(0, 3))], { create: [], update: { a: 2 }, remove: [] }],
    ['250 at once', web(range(0, 250)), [], { create: [100, 100, 50], update: {}, remove: [] }],
    [
      'only the slice with room changes',
      web(range(0, 151)),
      [held('a', range(0, 100)), held('b', range(100, 150))],
      { create: [], update: { b: 51 }, remove: [] },
    ],
    [
      'what leaves makes room for what comes',
      web([...range(1, 150), ...range(200, 201)]),
      [held('a', range(0, 100)), held('b', range(100, 150))],
      { create: [], update: { a: 100 }, remove: [] },
    ],
    [
      'an empty one goes',
      web(range(0, 100)),
      [held('a', range(0, 100)), held('b', range(100, 150))],
      { create: [], update: {}, remove: ['b'] },
    ],
    [
      'all go: one slice stays, empty',
      [],
      [held('a', range(0, 2))],
      { create: [], update: { a: 0 }, remove: [] },
    ],
    [
      'other ports take over the slice',
      [{ ports: ADMIN, endpoints: range(0, 3) }],
      [held('a', range(0, 3))],
      { create: [], update: { a: 3 }, remove: [] },
    ],
    [
      'two sets of ports',
      [
        { ports: HTTP, endpoints: range(0, 1) },
        { ports: ADMIN, endpoints: range(1, 2) },
      ],
      [held('a', range(0, 1))],
      { create: [1], update: {}, remove: [] },
    ],
  ] as const;
  for (const [what, groups, existing, expected] of table)
    assert.deepEqual(shape(planSlices(goal(groups), existing)), expected, what);
});

test('planSlices: a changed condition is written where the endpoint is', () => {
  const existing = [held('a', range(0, 2)), held('b', range(2, 4))];
  const endpoints = [endpoint(0), endpoint(1), endpoint(2, false), endpoint(3)];
  const plan = planSlices(goal([{ ports: HTTP, endpoints }]), existing);
  assert.deepEqual(shape(plan), { create: [], update: { b: 2 }, remove: [] });
  assert.equal(plan.update[0]?.endpoints?.[0]?.conditions?.ready, false);
});

test('planSlices: a new slice says whose it is, and when its reason came', () => {
  const [made] = planSlices(
    goal([{ ports: HTTP, endpoints: range(0, 1) }], {
      service: service('web', { clusterIP: 'None' }, { labels: { team: 'a' } }),
      triggerTime: at(5),
    }),
    [],
  ).create;
  assert.equal(made?.metadata?.generateName, 'web-');
  assert.equal(made?.addressType, 'IPv4');
  assert.deepEqual(made?.metadata?.labels, { team: 'a', ...labels, 'service.kubernetes.io/headless': '' });
  assert.deepEqual(made?.metadata?.annotations, {
    'endpoints.kubernetes.io/last-change-trigger-time': at(5),
  });
  assert.equal(made?.metadata?.ownerReferences?.[0]?.uid, 'uid-web');
});

test('planSlices: labels of the Service follow, and their change alone is a write', () => {
  const plan = planSlices(
    goal([{ ports: HTTP, endpoints: range(0, 1) }], {
      service: service('web', {}, { labels: { team: 'b' } }),
    }),
    [held('a', range(0, 1))],
  );
  assert.equal(plan.update[0]?.metadata.labels?.['team'], 'b');
});

test('planSlices: families keep to themselves; slices of a family that is no more go', () => {
  const six = slice('six', { addressType: 'IPv6', ports: HTTP, metadata: { labels } });
  const plan = planSlices(goal([{ ports: HTTP, endpoints: range(0, 1) }]), [six, held('a', range(0, 1))]);
  assert.deepEqual(shape(plan), { create: [], update: {}, remove: ['six'] });
});

test('planSlices: a slice that is being deleted does not count', () => {
  const going = { ...held('a', range(0, 1)), metadata: meta('a', { labels, deletionTimestamp: at(0) }) };
  assert.deepEqual(shape(planSlices(goal([{ ports: HTTP, endpoints: range(0, 1) }]), [going])).create, [1]);
});

test('planSlices: whatever happens, all endpoints are there once, no slice is too large, and a second look changes nothing', () => {
  const ids = fc.uniqueArray(fc.nat(400), { maxLength: 350 });
  fc.assert(
    fc.property(fc.array(ids, { minLength: 1, maxLength: 5 }), (steps) => {
      let slices: readonly Stored<EndpointSlice>[] = [];
      let names = 0;
      for (const step of steps) {
        const endpoints = step.map((id) => endpoint(id));
        const groups = endpoints.length === 0 ? [] : [{ ports: HTTP, endpoints }];
        const { create, update, remove } = planSlices(goal(groups), slices);
        const gone = new Set(remove.map(({ metadata }) => metadata.name));
        slices = [
          ...slices
            .filter(({ metadata }) => !gone.has(metadata.name))
            .map((old) => update.find(({ metadata }) => metadata.name === old.metadata.name) ?? old),
          ...create.map((made) => ({ ...made, metadata: meta(`s${names++}`, made.metadata) })),
        ];
        const addresses = slices.flatMap((one) => (one.endpoints ?? []).map((held) => held.addresses[0]));
        assert.deepEqual(addresses.toSorted(), endpoints.map((one) => one.addresses[0]).toSorted());
        assert.ok(slices.every((one) => (one.endpoints ?? []).length <= 100));
        assert.ok(slices.length >= 1);
        assert.deepEqual(shape(planSlices(goal(groups), slices)), { create: [], update: {}, remove: [] });
      }
    }),
    { numRuns: 50 },
  );
});
