import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, node, pod, service } from '../testing/objects.ts';
import { endpointGroups } from './endpoints-of-pods.ts';

const none = () => undefined;
const ips = ['10.244.0.5', 'fd00::5'];
const named = (containerPort: number, protocol = 'TCP') => ({
  containers: [{ name: 'main', ports: [{ name: 'http', containerPort, protocol }] }],
});

test('endpointGroups: which Pods count, and how', () => {
  const ending = { deletionTimestamp: at(0), labels: { app: 'web' } };
  const table = [
    ['ready', pod('p', { ips, readySince: 0 }), { ready: true, serving: true, terminating: false }],
    ['not ready', pod('p', { ips }), { ready: false, serving: false, terminating: false }],
    [
      'ending, still serving',
      pod('p', { ips, readySince: 0, metadata: ending }),
      { ready: false, serving: true, terminating: true },
    ],
    ['ending', pod('p', { ips, metadata: ending }), { ready: false, serving: false, terminating: true }],
    ['failed', pod('p', { ips, phase: 'Failed' }), undefined],
    ['finished', pod('p', { ips, phase: 'Succeeded' }), undefined],
    ['without an address', pod('p', { readySince: 0 }), undefined],
    ['not selected', pod('p', { ips, readySince: 0, metadata: { labels: { app: 'x' } } }), undefined],
  ] as const;
  for (const [what, one, conditions] of table)
    assert.deepEqual(
      endpointGroups(service('web'), [one], 'IPv4', none)[0]?.endpoints[0]?.conditions,
      conditions,
      what,
    );
});

test('endpointGroups: publishNotReadyAddresses calls all ready, and still tells the truth beside it', () => {
  const [group] = endpointGroups(
    service('web', { publishNotReadyAddresses: true }),
    [pod('p', { ips })],
    'IPv4',
    none,
  );
  assert.deepEqual(group?.endpoints[0]?.conditions, { ready: true, serving: false, terminating: false });
});

test('endpointGroups: the address of the family that is asked for', () => {
  const addresses = (family: 'IPv4' | 'IPv6', one: readonly string[]) =>
    endpointGroups(service('web'), [pod('p', { ips: one })], family, none)[0]?.endpoints[0]?.addresses;
  assert.deepEqual(addresses('IPv4', ips), ['10.244.0.5']);
  assert.deepEqual(addresses('IPv6', ips), ['fd00::5']);
  assert.equal(addresses('IPv6', ['10.244.0.5']), undefined);
});

test('endpointGroups: target ports by number, by name for each Pod, or as the Service’s own', () => {
  const ports = (servicePorts: readonly object[], ...specs: readonly object[]) =>
    endpointGroups(
      service('web', { ports: servicePorts as never }),
      specs.map((spec, index) => pod(`p${index}`, { ips: [`10.0.0.${index}`], spec })),
      'IPv4',
      none,
    ).map((group) => [
      group.ports.map(({ name, port, protocol }) => `${name} ${port} ${protocol}`),
      group.endpoints.length,
    ]);
  assert.deepEqual(ports([{ port: 80 }], {}), [[[' 80 TCP'], 1]]);
  assert.deepEqual(ports([{ port: 80, targetPort: 8080, protocol: 'UDP' }], {}), [[[' 8080 UDP'], 1]]);
  const byName = [{ name: 'h', port: 80, targetPort: 'http' }];
  assert.deepEqual(ports(byName, named(8080), named(9090), named(8080)), [
    [['h 8080 TCP'], 2],
    [['h 9090 TCP'], 1],
  ]);
  assert.deepEqual(ports(byName, named(8080, 'UDP')), [[[], 1]], 'the name is of another protocol');
  assert.deepEqual(ports([], {}), [[[], 1]], 'headless without ports');
});

test('endpointGroups: node, zone, hostname and the Pod behind it', () => {
  const here = node('n1', { metadata: { labels: { 'topology.kubernetes.io/zone': 'z1' } } });
  const one = pod('p', { ips, node: 'n1', spec: { hostname: 'db-0', subdomain: 'web' } });
  const [group] = endpointGroups(service('web'), [one], 'IPv4', () => here);
  assert.deepEqual(group?.endpoints[0], {
    addresses: ['10.244.0.5'],
    conditions: { ready: false, serving: false, terminating: false },
    hostname: 'db-0',
    nodeName: 'n1',
    zone: 'z1',
    targetRef: { kind: 'Pod', namespace: 'default', name: 'p', uid: 'uid-p' },
  });
  const [elsewhere] = endpointGroups(service('other'), [one], 'IPv4', none);
  assert.equal(elsewhere?.endpoints[0]?.hostname, undefined, 'the subdomain is another Service');
});

test('endpointGroups: trafficDistribution gives ready endpoints hints', () => {
  const here = node('n1', { metadata: { labels: { 'topology.kubernetes.io/zone': 'z1' } } });
  const hints = (trafficDistribution: string, traits: object = { readySince: 0 }, found = () => here) =>
    endpointGroups(
      service('web', { trafficDistribution }),
      [pod('p', { ips, node: 'n1', ...traits })],
      'IPv4',
      found as () => typeof here,
    )[0]?.endpoints[0]?.hints;
  const zone = { forZones: [{ name: 'z1' }] };
  assert.deepEqual(hints('PreferClose'), zone);
  assert.deepEqual(hints('PreferSameZone'), zone);
  assert.deepEqual(hints('PreferSameNode'), { forNodes: [{ name: 'n1' }], ...zone });
  assert.deepEqual(hints('PreferSameNode', { readySince: 0 }, none as never), { forNodes: [{ name: 'n1' }] });
  assert.equal(hints('PreferClose', { readySince: 0 }, none as never), undefined, 'no zone');
  assert.equal(hints('PreferClose', {}), undefined, 'not ready');
  assert.equal(hints(''), undefined);
});
