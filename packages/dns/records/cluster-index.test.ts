import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseIp } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';
import { endpoint, service, slice } from '../fixtures/objects.ts';
import { RECORD_TYPES } from '../wire/index.ts';
import { ClusterIndex } from './cluster-index.ts';
import { ClusterZone } from './cluster-zone.ts';

/** A few names and addresses, so that changes meet. */
const names = ['a', 'b', 'c'];
const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];

const serviceArb: fc.Arbitrary<Service> = fc
  .tuple(
    fc.constantFrom('x', 'y'),
    fc.constantFrom(...names),
    fc.constantFrom<Partial<NonNullable<Service['spec']>>>(
      { clusterIP: 'None' },
      { clusterIP: '10.0.0.1' },
      { clusterIP: '10.0.0.2', ports: [{ name: 'p', port: 1 }] },
      { type: 'ExternalName', externalName: 'example.com' },
      { clusterIP: 'None', publishNotReadyAddresses: true },
    ),
  )
  .map(([namespace, name, spec]) => service(`${namespace}/${name}`, spec));

const sliceArb: fc.Arbitrary<EndpointSlice> = fc
  .tuple(
    fc.constantFrom('x', 'y'),
    fc.constantFrom('s1', 's2'),
    fc.constantFrom(...names),
    fc.array(
      fc
        .tuple(fc.constantFrom(...addresses), fc.boolean(), fc.constantFrom(undefined, 'h'))
        .map(([address, ready, hostname]) =>
          endpoint(address, { conditions: { ready }, ...(hostname !== undefined && { hostname }) }),
        ),
      { maxLength: 3 },
    ),
  )
  .map(([namespace, name, owner, endpoints]) => slice(`${namespace}/${name}`, owner, endpoints));

type Change =
  | { readonly kind: 'service'; readonly object: Service; readonly gone: boolean }
  | { readonly kind: 'slice'; readonly object: EndpointSlice; readonly gone: boolean };

const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.oneof(
    fc.tuple(serviceArb, fc.boolean()).map(([object, gone]): Change => ({ kind: 'service', object, gone })),
    fc.tuple(sliceArb, fc.boolean()).map(([object, gone]): Change => ({ kind: 'slice', object, gone })),
  ),
  { maxLength: 30 },
);

const questions: readonly (readonly [string, number])[] = [
  ...['x', 'y'].flatMap((namespace) => [
    [`${namespace}.svc.z`, RECORD_TYPES.A] as const,
    ...names.flatMap((name) => [
      [`${name}.${namespace}.svc.z`, RECORD_TYPES.A] as const,
      [`_p._tcp.${name}.${namespace}.svc.z`, RECORD_TYPES.SRV] as const,
      [`h.${name}.${namespace}.svc.z`, RECORD_TYPES.A] as const,
    ]),
  ]),
  ...['1', '2', '3'].map((last) => [`${last}.0.0.10.in-addr.arpa`, RECORD_TYPES.PTR] as const),
];

const zoneOver = (index: ClusterIndex) =>
  new ClusterZone(index, {
    clusterDomain: 'z',
    reverseZones: ['10.in-addr.arpa'],
    ttl: 5,
    podRecords: 'disabled',
    serverAddresses: [],
  });

const keyOf = (object: Service | EndpointSlice) => `${object.metadata?.namespace}/${object.metadata?.name}`;

test('ClusterIndex: after any changes it answers as one made anew, and stamps tell every answer that changed', () => {
  fc.assert(
    fc.property(changes, (list) => {
      const index = new ClusterIndex();
      const zone = zoneOver(index);
      const services = new Map<string, Service>();
      const slices = new Map<string, EndpointSlice>();
      for (const change of list) {
        const before = questions.map(([name, type]) => zone.resolve(name, type));
        if (change.kind === 'service') apply(services, change, (a, b) => index.applyService(a, b));
        else apply(slices, change, (a, b) => index.applySlice(a, b));

        const fresh = new ClusterIndex();
        for (const each of services.values()) fresh.applyService(each, undefined);
        for (const each of slices.values()) fresh.applySlice(each, undefined);
        const expected = zoneOver(fresh);
        for (const [i, [name, type]] of questions.entries()) {
          const now = zone.resolve(name, type);
          const right = expected.resolve(name, type);
          assert.equal(now?.rcode, right?.rcode, `${name} rcode`);
          assert.deepEqual(sorted(now?.answers), sorted(right?.answers), name);
          const old = before[i];
          if (old !== undefined && index.epochs.isCurrent(old.stamp))
            assert.deepEqual({ ...old, stamp: [] }, { ...now, stamp: [] }, `${name} changed under its stamp`);
        }
      }
    }),
    { numRuns: 150 },
  );
});

function apply<T extends Service | EndpointSlice>(
  store: Map<string, T>,
  change: { readonly object: T; readonly gone: boolean },
  report: (current: T | undefined, old: T | undefined) => void,
): void {
  const old = store.get(keyOf(change.object));
  if (change.gone && old === undefined) return;
  if (change.gone) store.delete(keyOf(change.object));
  else store.set(keyOf(change.object), change.object);
  report(change.gone ? undefined : change.object, old);
}

const sorted = (records: readonly object[] | undefined) =>
  (records ?? []).map((each) => JSON.stringify(each)).sort();

test('ClusterIndex: a cluster IP that moves to another Service is the new one’s, whichever event comes first', () => {
  const index = new ClusterIndex();
  const a = service('n/a', { clusterIP: '10.0.0.1' });
  index.applyService(a, undefined);
  index.applyService(service('n/b', { clusterIP: '10.0.0.1' }), undefined);
  index.applyService(undefined, a);
  assert.deepEqual(index.servicesOfAddress(parseIp('10.0.0.1')), ['n/b']);
});
