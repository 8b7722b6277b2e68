import assert from 'node:assert/strict';
import test from 'node:test';
import type { Container, Pod, PodSpec, Service } from '#kube-api';
import type { ResolvedImage } from '../images/resolve.ts';
import { containerPlan } from './container-plan.ts';
import { PodConfigError } from './errors.ts';
import { expandReferences } from './expand.ts';
import { podHostname } from './hostname.ts';
import { podHosts } from './hosts.ts';
import { serviceEnvironment } from './service-environment.ts';
import { volumePlan } from './volumes.ts';

const podOf = (spec: Partial<PodSpec>): Pod => ({
  metadata: { name: 'web-1', namespace: 'shop', uid: 'u1', labels: { app: 'web', tier: 'front' } },
  spec: { containers: [], ...spec },
});

const image: ResolvedImage = {
  name: 'docker.io/library/app:latest',
  entrypoint: ['/entry'],
  cmd: ['serve', 'all'],
  env: { PATH: '/bin', FROM_IMAGE: 'yes' },
  workingDir: '/srv',
  files: {},
  links: {},
};

const context = {
  podIps: ['10.244.1.7', 'fd00::7'],
  hostIps: ['172.30.0.11'],
  nodeName: 'node1',
  allocatable: { cpu: 4, memory: 8 * 2 ** 30 },
  hostname: 'web-1',
  serviceEnvironment: new Map([['REDIS_SERVICE_HOST', '10.96.3.4']]),
  objects: {
    configMaps: new Map([['settings', { data: { COLOUR: 'blue', 'app.conf': 'x=1\n' } }]]),
    secrets: new Map([['login', { data: { password: Buffer.from('s3cret').toString('base64') } }]]),
  },
  tokens: new Map([['', 'a.b.c']]),
};

const planOf = (container: Partial<Container>, spec: Partial<PodSpec> = {}) => {
  const whole: Container = { name: 'main', ...container };
  return containerPlan(podOf({ containers: [whole], ...spec }), whole, image, context);
};

for (const [text, expected] of [
  ['$(A) and $(A)', '1 and 1'],
  ['$(MISSING)', '$(MISSING)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$1'],
  ['$A {A} $', '$A {A} $'],
  ['$(A', '$(A'],
] as const)
  test(`expandReferences: ${text}`, () =>
    assert.equal(
      expandReferences(text, (name) => (name === 'A' ? '1' : undefined)),
      expected,
    ));

for (const { name, container, argv } of [
  { name: 'the image’s own', container: {}, argv: ['/entry', 'serve', 'all'] },
  { name: 'args replace CMD', container: { args: ['one'] }, argv: ['/entry', 'one'] },
  { name: 'command replaces ENTRYPOINT and CMD', container: { command: ['sh'] }, argv: ['sh'] },
  {
    name: 'both',
    container: { command: ['sh', '-c'], args: ['echo $(FROM_IMAGE)'] },
    argv: ['sh', '-c', 'echo yes'],
  },
])
  test(`containerPlan: command line, ${name}`, () => assert.deepEqual(planOf(container).argv, argv));

test('containerPlan: environment from image, Services, envFrom and env, the later winning', () => {
  const { env } = planOf({
    envFrom: [{ prefix: 'CFG_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'login' } }],
    env: [
      { name: 'FROM_IMAGE', value: 'no' },
      { name: 'URL', value: 'http://$(REDIS_SERVICE_HOST)/$(CFG_COLOUR)/$(LATER)' },
      { name: 'LATER', value: 'x' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'IPS', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } },
      { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
      { name: 'MAYBE', valueFrom: { configMapKeyRef: { name: 'none', key: 'x', optional: true } } },
    ],
  });
  assert.deepEqual(Object.fromEntries(env), {
    PATH: '/bin',
    FROM_IMAGE: 'no',
    HOSTNAME: 'web-1',
    REDIS_SERVICE_HOST: '10.96.3.4',
    CFG_COLOUR: 'blue',
    'CFG_app.conf': 'x=1\n',
    password: 's3cret',
    URL: 'http://10.96.3.4/blue/$(LATER)',
    LATER: 'x',
    IP: '10.244.1.7',
    IPS: '10.244.1.7,fd00::7',
    APP: 'web',
    NODE: 'node1',
    PASSWORD: 's3cret',
  });
});

for (const [resource, divisor, expected] of [
  ['limits.cpu', '1m', '250'],
  ['limits.cpu', undefined, '1'],
  ['requests.cpu', '1m', '100'],
  ['limits.memory', '1Mi', '8192'],
  ['requests.memory', undefined, '0'],
] as const)
  test(`containerPlan: resourceFieldRef ${resource} in ${divisor ?? 'units'}`, () => {
    const { env } = planOf({
      resources: { limits: { cpu: '250m' }, requests: { cpu: '0.1' } },
      env: [
        {
          name: 'X',
          valueFrom: { resourceFieldRef: { resource, ...(divisor === undefined ? {} : { divisor }) } },
        },
      ],
    });
    assert.equal(env.get('X'), expected);
  });

for (const [name, container, message] of [
  ['ConfigMap', { envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
  ['Secret', { envFrom: [{ secretRef: { name: 'none' } }] }, 'secret "none" not found'],
  [
    'key',
    { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'none' } } }] },
    "couldn't find key none in ConfigMap shop/settings",
  ],
  [
    'field',
    { env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.none' } } }] },
    'unsupported fieldPath: spec.none',
  ],
  [
    'subPath that leads out',
    { volumeMounts: [{ name: 'v', mountPath: '/x', subPath: '../y' }] },
    'subPath "../y" must be relative and without ".."',
  ],
] as const)
  test(`containerPlan: a missing or bad ${name} is a configuration error`, () =>
    assert.throws(
      () => planOf(container),
      (error: unknown) => error instanceof PodConfigError && error.message === message,
    ));

test('containerPlan: the user of the container, or else of the Pod', () => {
  const securityContext = { runAsUser: 1000, runAsGroup: 2000 };
  assert.deepEqual(planOf({}, { securityContext }).user, { uid: 1000, gid: 2000 });
  assert.deepEqual(planOf({ securityContext: { runAsUser: 5 } }, { securityContext }).user, {
    uid: 5,
    gid: 2000,
  });
  assert.equal(planOf({}).user, undefined);
});

for (const { name, spec, expected } of [
  { name: 'the Pod’s name', spec: {}, expected: ['web-1', '', 'web-1'] },
  {
    name: 'hostname and subdomain',
    spec: { hostname: 'a', subdomain: 'svc' },
    expected: ['a', 'a.svc.shop.svc.cluster.local', 'a'],
  },
  {
    name: 'setHostnameAsFQDN',
    spec: { subdomain: 'svc', setHostnameAsFQDN: true },
    expected: ['web-1', 'web-1.svc.shop.svc.cluster.local', 'web-1.svc.shop.svc.cluster.local'],
  },
  { name: 'hostNetwork', spec: { hostNetwork: true }, expected: ['node1', '', 'node1'] },
])
  test(`podHostname: ${name}`, () => {
    const { hostname, fqdn, kernelHostname } = podHostname(podOf(spec), 'node1', 'cluster.local');
    assert.deepEqual([hostname, fqdn, kernelHostname], expected);
  });

test('podHostname: a long name is cut to 63 characters that do not end in a dash', () => {
  const pod = { metadata: { name: `${'a'.repeat(62)}-bcd` } };
  assert.equal(podHostname(pod, 'node1', 'cluster.local').hostname, 'a'.repeat(62));
});

test('podHosts: as a kubelet writes it', () => {
  const pod = podOf({ hostAliases: [{ ip: '192.0.2.1', hostnames: ['foo', 'bar'] }] });
  const name = { hostname: 'web-1', fqdn: 'web-1.svc.shop.svc.cluster.local', kernelHostname: 'web-1' };
  assert.equal(
    podHosts(pod, name, ['10.244.1.7', 'fd00::7'], ''),
    `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
10.244.1.7\tweb-1.svc.shop.svc.cluster.local\tweb-1
fd00::7\tweb-1.svc.shop.svc.cluster.local\tweb-1

# Entries added by HostAliases.
192.0.2.1\tfoo\tbar
`,
  );
});

test('podHosts: hostNetwork Pods start from the node’s file', () => {
  const name = { hostname: 'node1', fqdn: '', kernelHostname: 'node1' };
  assert.equal(
    podHosts(podOf({ hostNetwork: true }), name, ['172.30.0.11'], '127.0.0.1 localhost\n'),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n',
  );
});

const service = (namespace: string, name: string, clusterIP: string): Service => ({
  metadata: { namespace, name },
  spec: {
    clusterIP,
    ports: [
      { name: 'web-ui', port: 80 },
      { port: 53, protocol: 'UDP' },
    ],
  },
});

test('serviceEnvironment: all variables of a Service', () => {
  const env = serviceEnvironment([service('shop', 'my-svc', '10.96.0.7')], 'shop', true);
  assert.deepEqual(Object.fromEntries(env), {
    MY_SVC_SERVICE_HOST: '10.96.0.7',
    MY_SVC_SERVICE_PORT: '80',
    MY_SVC_SERVICE_PORT_WEB_UI: '80',
    MY_SVC_PORT: 'tcp://10.96.0.7:80',
    MY_SVC_PORT_80_TCP: 'tcp://10.96.0.7:80',
    MY_SVC_PORT_80_TCP_PROTO: 'tcp',
    MY_SVC_PORT_80_TCP_PORT: '80',
    MY_SVC_PORT_80_TCP_ADDR: '10.96.0.7',
    MY_SVC_PORT_53_UDP: 'udp://10.96.0.7:53',
    MY_SVC_PORT_53_UDP_PROTO: 'udp',
    MY_SVC_PORT_53_UDP_PORT: '53',
    MY_SVC_PORT_53_UDP_ADDR: '10.96.0.7',
  });
});

test('serviceEnvironment: own namespace and kubernetes; no headless ones; links can be off', () => {
  const services = [
    service('default', 'kubernetes', '10.96.0.1'),
    service('default', 'other', '10.96.0.2'),
    service('shop', 'own', '10.96.0.3'),
    service('shop', 'headless', 'None'),
  ];
  const hosts = (links: boolean) =>
    [...serviceEnvironment(services, 'shop', links).keys()].filter((name) => name.endsWith('_SERVICE_HOST'));
  assert.deepEqual(hosts(true), ['KUBERNETES_SERVICE_HOST', 'OWN_SERVICE_HOST']);
  assert.deepEqual(hosts(false), ['KUBERNETES_SERVICE_HOST']);
});

const filesOf = (volume: Parameters<typeof volumePlan>[1]) => {
  const plan = volumePlan(podOf({}), volume, context);
  assert.equal(plan.kind, 'files');
  return plan.files.map(({ path, content, mode }) => [
    path,
    Buffer.from(content).toString(),
    mode.toString(8),
  ]);
};

test('volumePlan: a ConfigMap whole, and by items with modes', () => {
  assert.deepEqual(filesOf({ name: 'v', configMap: { name: 'settings' } }), [
    ['COLOUR', 'blue', '644'],
    ['app.conf', 'x=1\n', '644'],
  ]);
  const items = [{ key: 'COLOUR', path: 'a/b', mode: 0o400 }];
  assert.deepEqual(filesOf({ name: 'v', configMap: { name: 'settings', items } }), [['a/b', 'blue', '400']]);
});

test('volumePlan: the projected access to the API', () => {
  const volume = {
    name: 'v',
    projected: {
      sources: [
        { serviceAccountToken: { path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  };
  const objects = {
    ...context.objects,
    configMaps: new Map([['kube-root-ca.crt', { data: { 'ca.crt': 'PEM' } }]]),
  };
  const plan = volumePlan(podOf({}), volume, { ...context, objects });
  assert.equal(plan.kind, 'files');
  assert.deepEqual(
    plan.files.map(({ path, content }) => [path, Buffer.from(content).toString()]),
    [
      ['token', 'a.b.c'],
      ['ca.crt', 'PEM'],
      ['namespace', 'shop'],
    ],
  );
});

for (const [name, volume, message] of [
  [
    'a path that leads out',
    { name: 'v', configMap: { name: 'settings', items: [{ key: 'COLOUR', path: '../x' }] } },
    /must be relative/,
  ],
  [
    'a missing key',
    { name: 'v', secret: { secretName: 'login', items: [{ key: 'none', path: 'x' }] } },
    /non-existent config key: none/,
  ],
  ['a missing object', { name: 'v', configMap: { name: 'none' } }, /configmap "none" not found/],
  ['an unknown kind', { name: 'v', nfs: { path: '/', server: 'x' } }, /no volumes of kind nfs/],
] as const)
  test(`volumePlan: ${name} is refused`, () =>
    assert.throws(() => volumePlan(podOf({}), volume, context), message));

test('volumePlan: an optional object that is not there is empty', () =>
  assert.deepEqual(filesOf({ name: 'v', secret: { secretName: 'none', optional: true } }), []));
