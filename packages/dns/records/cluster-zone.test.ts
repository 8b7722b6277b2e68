import assert from 'node:assert/strict';
import test from 'node:test';
import { parseIp } from '#ip';
import { endpoint, service, slice } from '../fixtures/objects.ts';
import { META_TYPES, RECORD_TYPES, type ResourceRecord } from '../wire/index.ts';
import { ClusterIndex } from './cluster-index.ts';
import { ClusterZone, type ClusterZoneOptions } from './cluster-zone.ts';

/** A cluster like the one the specification's examples speak of. */
function cluster(options: Partial<ClusterZoneOptions> = {}): { index: ClusterIndex; zone: ClusterZone } {
  const index = new ClusterIndex();
  const https = [{ name: 'https', port: 443, protocol: 'TCP' }];
  index.applyService(
    service('default/kubernetes', {
      clusterIP: '10.3.0.1',
      clusterIPs: ['10.3.0.1', '2001:db8::1'],
      ports: [...https, { port: 53, protocol: 'UDP' }],
    }),
    undefined,
  );
  index.applyService(service('default/headless', { clusterIP: 'None' }), undefined);
  index.applySlice(
    slice(
      'default/headless-4',
      'headless',
      [
        endpoint('10.3.0.100', { hostname: 'my-pet' }),
        endpoint('10.3.0.2', { hostname: 'my-pet-2' }),
        endpoint('10.3.0.3'),
        endpoint('10.3.0.4', { conditions: { ready: false } }),
      ],
      https,
    ),
    undefined,
  );
  index.applySlice(
    slice('default/headless-6', 'headless', [endpoint('2001:db8::2', { hostname: 'my-pet' })], https),
    undefined,
  );
  index.applyService(service('default/empty', { clusterIP: 'None' }), undefined);
  index.applyService(
    service('default/unready', { clusterIP: 'None', publishNotReadyAddresses: true }),
    undefined,
  );
  index.applySlice(
    slice('default/unready-4', 'unready', [endpoint('10.3.0.9', { conditions: { ready: false } })]),
    undefined,
  );
  index.applyService(
    service('default/foo', { type: 'ExternalName', externalName: 'www.example.com' }),
    undefined,
  );
  const zone = new ClusterZone(index, {
    clusterDomain: 'cluster.local',
    reverseZones: ['3.10.in-addr.arpa', '8.b.d.0.1.0.0.2.ip6.arpa'],
    ttl: 5,
    podRecords: 'insecure',
    serverAddresses: [parseIp('10.3.0.10')],
    ...options,
  });
  return { index, zone };
}

function text(record: ResourceRecord): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `${record.name} ${record.type} ${record.address}`;
    case 'SRV':
      return `${record.name} SRV ${record.priority} ${record.weight} ${record.port} ${record.target}`;
    case 'TXT':
      return `${record.name} TXT ${record.strings.map((each) => Buffer.from(each).toString()).join(' ')}`;
    case 'PTR':
    case 'CNAME':
    case 'NS':
      return `${record.name} ${record.type} ${record.target}`;
    default:
      return `${record.name} ${record.type}`;
  }
}

const HEADLESS = 'headless.default.svc.cluster.local';
const KUBERNETES = 'kubernetes.default.svc.cluster.local';

/** Section of the Kubernetes DNS specification 1.1.0, question, and the answers in any order. */
const examples: readonly (readonly [string, string, keyof typeof RECORD_TYPES, readonly string[]])[] = [
  ['2.2', 'dns-version.cluster.local', 'TXT', ['dns-version.cluster.local TXT 1.1.0']],
  ['2.3.1', KUBERNETES, 'A', [`${KUBERNETES} A 10.3.0.1`]],
  ['2.3.1', KUBERNETES, 'AAAA', [`${KUBERNETES} AAAA 2001:db8::1`]],
  ['2.3.2', `_https._tcp.${KUBERNETES}`, 'SRV', [`_https._tcp.${KUBERNETES} SRV 0 100 443 ${KUBERNETES}`]],
  ['2.3.3', '1.0.3.10.in-addr.arpa', 'PTR', [`1.0.3.10.in-addr.arpa PTR ${KUBERNETES}`]],
  [
    '2.3.3',
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    'PTR',
    [`1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR ${KUBERNETES}`],
  ],
  ['2.4.1', HEADLESS, 'A', [`${HEADLESS} A 10.3.0.100`, `${HEADLESS} A 10.3.0.2`, `${HEADLESS} A 10.3.0.3`]],
  ['2.4.1', `my-pet.${HEADLESS}`, 'A', [`my-pet.${HEADLESS} A 10.3.0.100`]],
  ['2.4.1', `10-3-0-3.${HEADLESS}`, 'A', [`10-3-0-3.${HEADLESS} A 10.3.0.3`]],
  ['2.4.1', HEADLESS, 'AAAA', [`${HEADLESS} AAAA 2001:db8::2`]],
  ['2.4.1', `my-pet.${HEADLESS}`, 'AAAA', [`my-pet.${HEADLESS} AAAA 2001:db8::2`]],
  [
    '2.4.1 publishNotReadyAddresses',
    'unready.default.svc.cluster.local',
    'A',
    ['unready.default.svc.cluster.local A 10.3.0.9'],
  ],
  [
    '2.4.2',
    `_https._tcp.${HEADLESS}`,
    'SRV',
    ['my-pet', 'my-pet-2', '10-3-0-3'].map(
      (host) => `_https._tcp.${HEADLESS} SRV 0 33 443 ${host}.${HEADLESS}`,
    ),
  ],
  ['2.4.3', '100.0.3.10.in-addr.arpa', 'PTR', [`100.0.3.10.in-addr.arpa PTR my-pet.${HEADLESS}`]],
  [
    '2.4.3',
    '2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    'PTR',
    [`2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR my-pet.${HEADLESS}`],
  ],
  ['2.5', 'foo.default.svc.cluster.local', 'A', ['foo.default.svc.cluster.local CNAME www.example.com']],
  ['2.5', 'foo.default.svc.cluster.local', 'AAAA', ['foo.default.svc.cluster.local CNAME www.example.com']],
  [
    '2.6 of 1.0',
    '10-3-0-77.default.pod.cluster.local',
    'A',
    ['10-3-0-77.default.pod.cluster.local A 10.3.0.77'],
  ],
  ['authority', 'cluster.local', 'NS', ['cluster.local NS ns.dns.cluster.local']],
  ['authority', 'ns.dns.cluster.local', 'A', ['ns.dns.cluster.local A 10.3.0.10']],
];

for (const [section, name, type, expected] of examples)
  test(`ClusterZone: specification ${section}: ${name} ${type}`, () => {
    const found = cluster().zone.resolve(name, RECORD_TYPES[type]);
    assert.equal(found?.rcode, 0);
    assert.deepEqual(found?.answers.map(text).sort(), [...expected].sort());
    assert.ok(found?.answers.every(({ ttl }) => ttl === 5));
  });

const negatives: readonly (readonly [string, string, keyof typeof RECORD_TYPES, 'NXDOMAIN' | 'NODATA'])[] = [
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

for (const [what, name, type, expected] of negatives)
  test(`ClusterZone: ${what} is ${expected}`, () => {
    const found = cluster().zone.resolve(name, RECORD_TYPES[type]);
    assert.deepEqual(found?.answers, []);
    assert.equal(found?.rcode, expected === 'NXDOMAIN' ? 3 : 0);
    assert.equal(found?.authorities[0]?.type, 'SOA');
    assert.equal(found?.authorities[0]?.ttl, 5);
  });

test('ClusterZone: SRV brings the addresses of its targets', () => {
  const { zone } = cluster();
  assert.deepEqual(zone.resolve(`_https._tcp.${KUBERNETES}`, RECORD_TYPES.SRV)?.additionals.map(text), [
    `${KUBERNETES} A 10.3.0.1`,
    `${KUBERNETES} AAAA 2001:db8::1`,
  ]);
  assert.deepEqual(zone.resolve(`_https._tcp.${HEADLESS}`, RECORD_TYPES.SRV)?.additionals.map(text).sort(), [
    `10-3-0-3.${HEADLESS} A 10.3.0.3`,
    `my-pet-2.${HEADLESS} A 10.3.0.2`,
    `my-pet.${HEADLESS} A 10.3.0.100`,
    `my-pet.${HEADLESS} AAAA 2001:db8::2`,
  ]);
});

test('ClusterZone: ANY is one HINFO where the name exists (RFC 8482)', () => {
  const { zone } = cluster();
  assert.deepEqual(zone.resolve(KUBERNETES, META_TYPES.ANY)?.answers.map(text), [`${KUBERNETES} HINFO`]);
  assert.equal(zone.resolve('none.default.svc.cluster.local', META_TYPES.ANY)?.rcode, 3);
});

test('ClusterZone: Pod records may be verified or off', () => {
  const verified = cluster({ podRecords: 'verified' });
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
  assert.equal(cluster({ podRecords: 'disabled' }).zone.resolve(name, RECORD_TYPES.A)?.rcode, 3);
});

test('ClusterZone: zonal names give a headless Service’s ready endpoints of one zone', () => {
  const { index, zone } = cluster();
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
  assert.deepEqual(ask('eu-1a._zone.spread')?.answers.map(text), [
    'eu-1a._zone.spread.default.svc.cluster.local A 10.3.0.51',
  ]);
  assert.equal(ask('eu-1c._zone.spread')?.rcode, 3);
  assert.deepEqual([ask('_zone.spread')?.rcode, ask('_zone.spread')?.answers], [0, []]);
  assert.equal(ask('_zone.headless')?.rcode, 3);
  assert.equal(ask('eu-1a._zone.kubernetes')?.rcode, 3);
});

test('ClusterZone: a namespace exists with its object, or with a Service in it', () => {
  const { index, zone } = cluster();
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
  const { zone } = cluster({ reverseZones: [] });
  assert.equal(zone.resolve('example.com', RECORD_TYPES.A), undefined);
  assert.equal(zone.resolve('9.9.9.9.in-addr.arpa', RECORD_TYPES.PTR), undefined);
  assert.equal(zone.resolve('1.0.3.10.in-addr.arpa', RECORD_TYPES.PTR)?.answers.length, 1);
});

/** The records of the specification's cluster that have a place in the zone. */
const TRANSFERRED = examples
  .filter(([, name]) => !name.endsWith('.arpa') && !name.endsWith('.pod.cluster.local'))
  .flatMap(([, , , expected]) => expected);

test('ClusterZone: a transfer is each record that questions find one by one, between two SOA records', () => {
  const { index, zone } = cluster();
  index.applyService(
    service('shop/web', {
      clusterIP: '10.3.1.1',
      ports: ['TCP', 'UDP'].map((protocol) => ({ name: 'http', port: 80, protocol })),
    }),
    undefined,
  );
  index.applySlice(slice('shop/web-1', 'web', [endpoint('10.3.2.1'), endpoint('10.3.2.2')]), undefined);
  index.applyService(service('shop/zoned', { clusterIP: 'None' }), undefined);
  index.applySlice(
    slice(
      'shop/zoned-1',
      'zoned',
      [
        endpoint('10.3.3.1', { zone: 'Eu-1', hostname: '_tcp' }),
        endpoint('10.3.3.2', { zone: 'eu-1', hostname: '_zone' }),
        endpoint('10.3.3.3', { zone: 'two.labels', hostname: '_plain' }),
      ],
      [{ name: 'http', port: 80, protocol: 'TCP' }],
    ),
    undefined,
  );
  const web = 'web.shop.svc.cluster.local';
  const zoned = 'zoned.shop.svc.cluster.local';
  const [first, ...rest] = zone.transfer();
  const last = rest.pop();
  assert.equal(first?.type, 'SOA');
  assert.deepEqual(last, first);
  assert.deepEqual(
    rest.map(text).sort(),
    [
      ...new Set(TRANSFERRED),
      `my-pet-2.${HEADLESS} A 10.3.0.2`,
      `_https._tcp.${HEADLESS} SRV 0 33 443 my-pet.${HEADLESS}`,
      '10-3-0-9.unready.default.svc.cluster.local A 10.3.0.9',
      `${web} A 10.3.1.1`,
      `_http._tcp.${web} SRV 0 100 80 ${web}`,
      `_http._udp.${web} SRV 0 100 80 ${web}`,
      `10-3-2-1.${web} A 10.3.2.1`,
      `10-3-2-2.${web} A 10.3.2.2`,
      ...['10.3.3.1', '10.3.3.2', '10.3.3.3'].map((address) => `${zoned} A ${address}`),
      ...['_tcp', '_zone', '_plain'].map((host) => `_http._tcp.${zoned} SRV 0 33 80 ${host}.${zoned}`),
      // The hostnames _tcp and _zone are hidden by what those names mean.
      `_plain.${zoned} A 10.3.3.3`,
      `eu-1._zone.${zoned} A 10.3.3.1`,
      `eu-1._zone.${zoned} A 10.3.3.2`,
    ]
      .filter((record, i, all) => all.indexOf(record) === i)
      .sort(),
  );
  for (const [key, listed] of Map.groupBy(rest, ({ name, type }) => `${type} ${name}`)) {
    const [type = '', name = ''] = key.split(' ');
    assert.deepEqual(
      zone.resolve(name, RECORD_TYPES[type as keyof typeof RECORD_TYPES])?.answers,
      listed,
      key,
    );
  }
});

test('ClusterZone: a transfer tells of the moment it began', () => {
  const { index, zone } = cluster();
  const before = [...zone.transfer()];
  const transfer = zone.transfer();
  const taken = [transfer.next().value];
  index.applyService(undefined, service('default/kubernetes', {}));
  index.applyService(service('default/new', { clusterIP: '10.3.7.7' }), undefined);
  index.applySlice(slice('default/headless-4', 'headless', []), slice('default/headless-4', 'headless', []));
  assert.deepEqual([...taken, ...transfer], before);
  assert.notDeepEqual([...zone.transfer()], before);
});

test('ClusterZone: a transfer lists Pods where they are verified', () => {
  const { index, zone } = cluster({ podRecords: 'verified' });
  for (const podIP of ['10.3.0.77', '2001:db8::77'])
    index.applyPod(
      { metadata: { namespace: 'default', name: podIP }, status: { phase: 'Running', podIP } },
      undefined,
    );
  const pods = [...zone.transfer()].filter(({ name }) => name.endsWith('.pod.cluster.local'));
  assert.deepEqual(pods.map(text), [
    '10-3-0-77.default.pod.cluster.local A 10.3.0.77',
    '2001-db8--77.default.pod.cluster.local AAAA 2001:db8::77',
  ]);
  for (const pod of pods) {
    assert.ok(pod.type === 'A' || pod.type === 'AAAA');
    assert.deepEqual(zone.resolve(pod.name, RECORD_TYPES[pod.type])?.answers, [pod]);
  }
});
