import assert from 'node:assert/strict';
import test from 'node:test';
import { endpoint, service, slice } from '../fixtures/objects.ts';
import {
  HEADLESS,
  KUBERNETES,
  recordText,
  SPECIFICATION_EXAMPLES,
  specificationCluster,
} from '../fixtures/specification.ts';
import { META_TYPES, RECORD_TYPES } from '../wire/index.ts';

for (const [section, name, type, expected] of SPECIFICATION_EXAMPLES)
  test(`ClusterZone: specification ${section}: ${name} ${type}`, () => {
    const found = specificationCluster().zone.resolve(name, RECORD_TYPES[type]);
    assert.equal(found?.rcode, 0);
    assert.deepEqual(found?.answers.map(recordText).sort(), [...expected].sort());
    assert.ok(found?.answers.every(({ ttl }) => ttl === 5));
  });

const NEGATIVES: readonly (readonly [string, string, keyof typeof RECORD_TYPES, 'NXDOMAIN' | 'NODATA'])[] = [
  ['a Service that is not', 'none.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['a headless Service without a ready endpoint', 'empty.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['an unready endpoint', `10-3-0-4.${HEADLESS}`, 'A', 'NXDOMAIN'],
  ['an unready endpoint’s address', '4.0.3.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
  ['a type the Service has not', KUBERNETES, 'TXT', 'NODATA'],
  ['a family the endpoint has not', `my-pet-2.${HEADLESS}`, 'AAAA', 'NODATA'],
  ['a namespace', 'default.svc.cluster.local', 'A', 'NODATA'],
  ['a namespace that is not', 'none.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['the zone’s own branches', 'svc.cluster.local', 'A', 'NODATA'],
  ['the zone', 'cluster.local', 'A', 'NODATA'],
  ['a protocol of a Service', `_tcp.${KUBERNETES}`, 'SRV', 'NODATA'],
  ['a protocol the Service has not', `_sctp.${KUBERNETES}`, 'SRV', 'NXDOMAIN'],
  ['an unnamed port', `_53._udp.${KUBERNETES}`, 'SRV', 'NXDOMAIN'],
  ['a port under the wrong protocol', `_https._udp.${KUBERNETES}`, 'SRV', 'NXDOMAIN'],
  ['a port without underscores', `https.tcp.${KUBERNETES}`, 'SRV', 'NXDOMAIN'],
  ['below an ExternalName', 'x.foo.default.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['an address nobody has', '200.0.3.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
  ['a network of the reverse zone', '0.3.10.in-addr.arpa', 'PTR', 'NODATA'],
  ['too many labels', `a.b.c.${KUBERNETES}`, 'A', 'NXDOMAIN'],
  ['a Pod name that is no address', 'x-y.default.pod.cluster.local', 'A', 'NXDOMAIN'],
];

for (const [what, name, type, expected] of NEGATIVES)
  test(`ClusterZone: ${what} is ${expected}`, () => {
    const found = specificationCluster().zone.resolve(name, RECORD_TYPES[type]);
    assert.deepEqual(found?.answers, []);
    assert.equal(found?.rcode, expected === 'NXDOMAIN' ? 3 : 0);
    assert.equal(found?.authorities[0]?.type, 'SOA');
    assert.equal(found?.authorities[0]?.ttl, 5);
  });

test('ClusterZone: SRV brings the addresses of its targets', () => {
  const { zone } = specificationCluster();
  assert.deepEqual(zone.resolve(`_https._tcp.${KUBERNETES}`, RECORD_TYPES.SRV)?.additionals.map(recordText), [
    `${KUBERNETES} A 10.3.0.1`,
    `${KUBERNETES} AAAA 2001:db8::1`,
  ]);
  assert.deepEqual(
    zone.resolve(`_https._tcp.${HEADLESS}`, RECORD_TYPES.SRV)?.additionals.map(recordText).sort(),
    [
      `10-3-0-3.${HEADLESS} A 10.3.0.3`,
      `my-pet-2.${HEADLESS} A 10.3.0.2`,
      `my-pet.${HEADLESS} A 10.3.0.100`,
      `my-pet.${HEADLESS} AAAA 2001:db8::2`,
    ],
  );
});

test('ClusterZone: ANY is one HINFO where the name exists (RFC 8482)', () => {
  const { zone } = specificationCluster();
  assert.deepEqual(zone.resolve(KUBERNETES, META_TYPES.ANY)?.answers.map(recordText), [
    `${KUBERNETES} HINFO`,
  ]);
  assert.equal(zone.resolve('none.default.svc.cluster.local', META_TYPES.ANY)?.rcode, 3);
});

test('ClusterZone: Pod records may be verified or off', () => {
  const verified = specificationCluster({ podRecords: 'verified' });
  const name = '10-3-0-77.default.pod.cluster.local';
  assert.equal(verified.zone.resolve(name, RECORD_TYPES.A)?.rcode, 3);
  const pod = {
    metadata: { namespace: 'default', name: 'p' },
    status: { podIP: '10.3.0.77', podIPs: [{ ip: '10.3.0.77' }] },
  };
  verified.index.applyPod(pod, undefined);
  assert.equal(verified.zone.resolve(name, RECORD_TYPES.A)?.rcode, 0);
  assert.equal(verified.zone.resolve('10-3-0-77.other.pod.cluster.local', RECORD_TYPES.A)?.rcode, 3);
  verified.index.applyPod(undefined, pod);
  assert.equal(verified.zone.resolve(name, RECORD_TYPES.A)?.rcode, 3);
  assert.equal(specificationCluster({ podRecords: 'disabled' }).zone.resolve(name, RECORD_TYPES.A)?.rcode, 3);
});

test('ClusterZone: zonal names give a headless Service’s ready endpoints of one zone', () => {
  const { index, zone } = specificationCluster();
  index.applyService(service('default/spread', { clusterIP: 'None' }), undefined);
  index.applySlice(
    slice('default/spread-1', 'spread', [
      endpoint('10.3.0.51', { zone: 'Eu-1a' }),
      endpoint('10.3.0.52', { zone: 'eu-1b' }),
      endpoint('10.3.0.53', { zone: 'eu-1a', conditions: { ready: false } }),
      endpoint('10.3.0.54'),
    ]),
    undefined,
  );
  const ask = (name: string) => zone.resolve(`${name}.default.svc.cluster.local`, RECORD_TYPES.A);
  assert.deepEqual(ask('eu-1a._zone.spread')?.answers.map(recordText), [
    'eu-1a._zone.spread.default.svc.cluster.local A 10.3.0.51',
  ]);
  assert.equal(ask('eu-1c._zone.spread')?.rcode, 3);
  assert.deepEqual([ask('_zone.spread')?.rcode, ask('_zone.spread')?.answers], [0, []]);
  assert.equal(ask('_zone.headless')?.rcode, 3);
  assert.equal(ask('eu-1a._zone.kubernetes')?.rcode, 3);
});

test('ClusterZone: a namespace exists with its object, or with a Service in it', () => {
  const { index, zone } = specificationCluster();
  const rcode = (namespace: string) =>
    ['svc', 'pod'].map((branch) => zone.resolve(`${namespace}.${branch}.cluster.local`, 1)?.rcode);
  const bare = { metadata: { name: 'bare' } };
  assert.deepEqual(rcode('bare'), [3, 3]);
  index.applyNamespace(bare, undefined);
  index.applyNamespace(bare, bare);
  assert.deepEqual(rcode('bare'), [0, 0]);
  index.applyService(service('bare/web', { clusterIP: '10.3.0.60' }), undefined);
  index.applyNamespace(undefined, bare);
  assert.deepEqual(rcode('bare'), [0, 0]);
  index.applyService(undefined, service('bare/web', { clusterIP: '10.3.0.60' }));
  assert.deepEqual(rcode('bare'), [3, 3]);
});

test('ClusterZone: names outside are not the cluster’s, but an endpoint’s reverse name is known everywhere', () => {
  const { zone } = specificationCluster({ reverseZones: [] });
  assert.equal(zone.resolve('example.com', RECORD_TYPES.A), undefined);
  assert.equal(zone.resolve('9.9.9.9.in-addr.arpa', RECORD_TYPES.PTR), undefined);
  assert.equal(zone.resolve('1.0.3.10.in-addr.arpa', RECORD_TYPES.PTR)?.answers.length, 1);
});
