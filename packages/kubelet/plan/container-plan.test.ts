import assert from 'node:assert/strict';
import test from 'node:test';
import type { Container, PodSpec } from '#kube-api';
import type { ResolvedImage } from '../images/resolve.ts';
import { PLAN_CONTEXT, podOf } from '../testing/plan-context.ts';
import { containerPlan } from './container-plan.ts';
import { PodConfigError } from './errors.ts';

const image: ResolvedImage = {
  name: 'docker.io/library/app:latest',
  entrypoint: ['/entry'],
  cmd: ['serve', 'all'],
  env: { PATH: '/bin', FROM_IMAGE: 'yes' },
  workingDir: '/srv',
  files: {},
  links: {},
};

const planOf = (container: Partial<Container>, spec: Partial<PodSpec> = {}) => {
  const whole: Container = { name: 'main', ...container };
  return containerPlan(podOf({ containers: [whole], ...spec }), whole, image, PLAN_CONTEXT);
};

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
