import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, Service } from '#kube-api';
import { seededRandom } from '#runtime';
import { Registry } from '../registry/registry.ts';
import { ServiceAllocator } from '../registry/service-allocator.ts';
import { inDefault, kindNamed, refusal, testRegistry, WRITER } from '../testing/registry.ts';

const services = kindNamed('services');
const port = { port: 80 };

function create(registry: Registry, name: string, spec: JsonObject): Service {
  return registry.create(services, 'default', { metadata: { name }, spec }, WRITER).object as Service;
}
const edit = (registry: Registry, name: string, spec: (old: JsonObject) => JsonObject): Service =>
  registry.patch(
    inDefault('services', name),
    (current) => ({ ...current, spec: spec(current['spec'] as JsonObject) }),
    WRITER,
  ).object as Service;

test('service: defaults, with an address of the range', () => {
  using context = testRegistry();
  const { spec, status } = create(context.registry, 'a', { ports: [port] });
  assert.match(spec?.clusterIP ?? '', /^10\.96\./);
  assert.deepEqual(spec, {
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    clusterIP: spec?.clusterIP,
    clusterIPs: [spec?.clusterIP],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
  });
  assert.deepEqual(status, { loadBalancer: {} });
});

test('service: no two get one address, a deleted one gives it back', () => {
  using context = testRegistry(['10.96.0.0/28']);
  const { registry } = context;
  const names = Array.from({ length: 14 }, (_, i) => `s${i}`);
  const addresses = new Set(names.map((name) => create(registry, name, { ports: [port] }).spec?.clusterIP));
  assert.equal(addresses.size, 14);
  const full = refusal(() => create(registry, 'more', { ports: [port] }));
  assert.equal(full.code, 422);
  assert.match(full.message ?? '', /range is full/);
  registry.delete(inDefault('services', 's3'));
  assert.ok(addresses.has(create(registry, 'more', { ports: [port] }).spec?.clusterIP));
});

test('service: allocations are known again after a restart', () => {
  using context = testRegistry();
  const { registry, store, clock } = context;
  const first = create(registry, 'a', { type: 'NodePort', ports: [port] });
  const random = seededRandom(2);
  const restarted = new Registry({
    store,
    clock,
    random,
    services: new ServiceAllocator(store, ['10.96.0.0/16'], random),
  });
  const clusterIP = first.spec?.clusterIP ?? '';
  const nodePort = first.spec?.ports?.[0]?.nodePort ?? 0;
  assert.match(
    refusal(() => create(restarted, 'b', { clusterIP, ports: [port] })).message ?? '',
    /provided IP is already allocated/,
  );
  assert.match(
    refusal(() => create(restarted, 'c', { type: 'NodePort', ports: [{ port: 80, nodePort }] })).message ??
      '',
    /spec\.ports\[0\]\.nodePort: Invalid value: \d+: provided port is already allocated/,
  );
});

test('service: an update keeps address and node ports, a change of type gives ports back', () => {
  using context = testRegistry();
  const { registry } = context;
  const first = create(registry, 'a', { type: 'NodePort', ports: [port] });
  const nodePort = first.spec?.ports?.[0]?.nodePort;
  assert.ok(nodePort !== undefined && nodePort >= 30000 && nodePort <= 32767);
  const applied = registry.update(
    inDefault('services', 'a'),
    { metadata: { name: 'a' }, spec: { type: 'NodePort', ports: [{ port: 80, targetPort: 8080 }] } },
    WRITER,
  ).object as Service;
  assert.equal(applied.spec?.clusterIP, first.spec?.clusterIP);
  assert.equal(applied.spec?.ports?.[0]?.nodePort, nodePort);
  const internal = edit(registry, 'a', (old) => ({
    ...old,
    type: 'ClusterIP',
    externalTrafficPolicy: undefined,
  }));
  assert.equal(internal.spec?.ports?.[0]?.nodePort, undefined);
  const other = create(registry, 'b', { type: 'NodePort', ports: [{ port: 80, nodePort }] });
  assert.equal(other.spec?.ports?.[0]?.nodePort, nodePort);
});

test('service: headless and ExternalName have no address', () => {
  using context = testRegistry();
  const { registry } = context;
  assert.deepEqual(create(registry, 'h', { clusterIP: 'None' }).spec?.clusterIPs, ['None']);
  const external = create(registry, 'e', { type: 'ExternalName', externalName: 'example.com' });
  assert.equal(external.spec?.clusterIP, undefined);
  assert.equal(external.spec?.internalTrafficPolicy, undefined);
});

test('service: both families where the cluster has both', () => {
  using context = testRegistry(['10.96.0.0/16', 'fd00:96::/112']);
  const { registry } = context;
  const { spec } = create(registry, 'a', { ipFamilyPolicy: 'PreferDualStack', ports: [port] });
  assert.deepEqual(spec?.ipFamilies, ['IPv4', 'IPv6']);
  assert.match(spec?.clusterIPs?.[1] ?? '', /^fd00:96::/);
  const six = create(registry, 'b', { ipFamilies: ['IPv6'], ports: [port] });
  assert.match(six.spec?.clusterIP ?? '', /^fd00:96::/);
});

test('service: a health check port for Local load balancers', () => {
  using context = testRegistry();
  const { spec } = create(context.registry, 'a', {
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    ports: [port],
  });
  assert.ok(spec?.healthCheckNodePort);
  assert.equal(spec.allocateLoadBalancerNodePorts, true);
});

const REFUSED: readonly (readonly [name: string, spec: JsonObject, message: string])[] = [
  ['a', {}, 'spec.ports: Required value'],
  [
    'a',
    { ports: [{ port: 0 }] },
    'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
  ],
  [
    'a',
    { ports: [{ port: 80, protocol: 'ICMP' }] },
    'spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
  ],
  [
    'a',
    { ports: [{ port: 80, targetPort: 70000 }] },
    'spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ],
  [
    'a',
    { ports: [port], type: 'X' },
    'spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
  ],
  [
    'a',
    { ports: [{ port: 80, nodePort: 30001 }] },
    "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
  ],
  [
    'a',
    { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
    'spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  ],
  ['a', { type: 'ExternalName' }, 'spec.externalName: Required value'],
  ['a', { ports: [port], clusterIP: '192.0.2.1' }, 'not in the valid range'],
  ['a', { ports: [port], clusterIP: 'abc' }, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  [
    'a',
    { ports: [port], ipFamilyPolicy: 'RequireDualStack' },
    'this cluster is not configured for dual-stack services',
  ],
  ['1a', { ports: [port] }, 'metadata.name: Invalid value: "1a": a DNS-1035 label must consist of'],
];

test('service: refuses in the words of Kubernetes', () => {
  using context = testRegistry();
  for (const [name, spec, message] of REFUSED) {
    const status = refusal(() => create(context.registry, name, spec));
    assert.equal(status.code, 422, message);
    assert.ok(status.message?.startsWith(`Service "${name}" is invalid: `), status.message);
    assert.ok(status.message?.includes(message), `${status.message} should say ${message}`);
  }
});

test('service: the address may not change', () => {
  using context = testRegistry();
  const { registry } = context;
  create(registry, 'a', { ports: [port] });
  const status = refusal(() =>
    edit(registry, 'a', (old) => ({ ...old, clusterIP: '10.96.9.9', clusterIPs: ['10.96.9.9'] })),
  );
  const alone = refusal(() => edit(registry, 'a', (old) => ({ ...old, clusterIP: '10.96.9.9' })));
  assert.equal(alone.message, status.message);
  assert.match(status.message ?? '', /spec\.clusterIPs\[0\]: Invalid value: .*: may not change once set/);
});

test('service: a change of type takes along what only the old type means, unless it was changed with it', () => {
  using context = testRegistry();
  const { registry } = context;
  const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [port] };
  const first = create(registry, 'a', spec).spec;
  assert.ok((first?.healthCheckNodePort ?? 0) >= 30000);
  const internal = edit(registry, 'a', (old) => ({ ...old, type: 'ClusterIP' })).spec;
  assert.equal(internal?.externalTrafficPolicy, undefined);
  assert.equal(internal?.healthCheckNodePort, undefined);
  assert.equal(internal?.allocateLoadBalancerNodePorts, undefined);
  create(registry, 'b', {
    type: 'NodePort',
    ports: [{ port: 80, nodePort: first?.healthCheckNodePort ?? 0 }],
  });
  const named = edit(registry, 'b', (old) => ({
    ...old,
    type: 'ExternalName',
    externalName: 'example.com',
  })).spec;
  assert.deepEqual(
    [named?.clusterIP, named?.externalTrafficPolicy, named?.ports?.[0]?.nodePort],
    [undefined, undefined, undefined],
  );
  create(registry, 'c', { type: 'NodePort', ports: [port] });
  const refused = refusal(() =>
    edit(registry, 'c', (old) => ({ ...old, type: 'ClusterIP', externalTrafficPolicy: 'Local' })),
  );
  assert.match(
    refused.message ?? '',
    /spec\.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible/,
  );
});
