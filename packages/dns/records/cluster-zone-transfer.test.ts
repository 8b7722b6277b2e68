import assert from 'node:assert/strict';
import test from 'node:test';
import { endpoint, service, slice } from '../fixtures/objects.ts';
import {
  HEADLESS,
  recordText,
  SPECIFICATION_EXAMPLES,
  specificationCluster,
} from '../fixtures/specification.ts';
import { RECORD_TYPES } from '../wire/index.ts';

/** The records of the specification's cluster that have a place in the zone. */
const TRANSFERRED = SPECIFICATION_EXAMPLES.filter(
  ([, name]) => !name.endsWith('.arpa') && !name.endsWith('.pod.cluster.local'),
).flatMap(([, , , expected]) => expected);

test('ClusterZone: a transfer is each record that questions find one by one, between two SOA records', () => {
  const { index, zone } = specificationCluster();
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
    rest.map(recordText).sort(),
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
  const { index, zone } = specificationCluster();
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
  const { index, zone } = specificationCluster({ podRecords: 'verified' });
  for (const podIP of ['10.3.0.77', '2001:db8::77'])
    index.applyPod(
      { metadata: { namespace: 'default', name: podIP }, status: { phase: 'Running', podIP } },
      undefined,
    );
  const pods = [...zone.transfer()].filter(({ name }) => name.endsWith('.pod.cluster.local'));
  assert.deepEqual(pods.map(recordText), [
    '10-3-0-77.default.pod.cluster.local A 10.3.0.77',
    '2001-db8--77.default.pod.cluster.local AAAA 2001:db8::77',
  ]);
  for (const pod of pods) {
    assert.ok(pod.type === 'A' || pod.type === 'AAAA');
    assert.deepEqual(zone.resolve(pod.name, RECORD_TYPES[pod.type])?.answers, [pod]);
  }
});
