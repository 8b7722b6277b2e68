import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, JsonObject, Pod } from '#kube-api';
import { inDefault, kindNamed, refusal, testRegistry, WRITER } from '../testing/registry.ts';
import { podReason } from './pod.ts';

const container = { name: 'c', image: 'nginx' };
const labels = { app: 'web' };
const template = { metadata: { labels }, spec: { containers: [container] } };
const deploymentSpec: JsonObject = { selector: { matchLabels: labels }, template };

function createPod(spec: JsonObject): Pod {
  using context = testRegistry();
  return context.registry.create(kindNamed('pods'), 'default', { metadata: { name: 'p' }, spec }, WRITER)
    .object as Pod;
}
function createDeployment(spec: JsonObject): Deployment {
  using context = testRegistry();
  const kind = kindNamed('deployments', 'apps');
  return context.registry.create(kind, 'default', { metadata: { name: 'd' }, spec }, WRITER)
    .object as unknown as Deployment;
}

test('pod: defaults', () => {
  const { spec, status } = createPod({
    containers: [
      { ...container, ports: [{ containerPort: 80 }], readinessProbe: { httpGet: { port: 80 } } },
      { name: 'd', image: 'registry.example:5000/a/b:1.2', resources: { limits: { cpu: 1 } } },
    ],
  });
  assert.equal(spec?.restartPolicy, 'Always');
  assert.equal(spec?.terminationGracePeriodSeconds, 30);
  assert.equal(spec?.serviceAccountName, 'default');
  const [first, second] = spec?.containers ?? [];
  assert.equal(first?.imagePullPolicy, 'Always');
  assert.deepEqual(first?.ports, [{ containerPort: 80, protocol: 'TCP' }]);
  assert.deepEqual(first?.readinessProbe, {
    httpGet: { port: 80, path: '/', scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  assert.equal(second?.imagePullPolicy, 'IfNotPresent');
  assert.deepEqual(second?.resources, { limits: { cpu: '1' }, requests: { cpu: '1' } });
  assert.deepEqual(status, { phase: 'Pending', qosClass: 'Burstable' });
});

const REFUSED_PODS: readonly (readonly [JsonObject, string])[] = [
  [{}, 'spec.containers: Required value'],
  [{ containers: [{ name: 'c' }] }, 'spec.containers[0].image: Required value'],
  [{ containers: [container, container] }, 'spec.containers[1].name: Duplicate value: "c"'],
  [
    { containers: [{ ...container, name: 'A' }] },
    'spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label',
  ],
  [
    { containers: [{ ...container, ports: [{ containerPort: 70000 }] }] },
    'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ],
  [
    {
      containers: [
        { ...container, env: [{ name: 'A', value: 'a', valueFrom: { fieldRef: { fieldPath: 'x' } } }] },
      ],
    },
    'may not be specified when `value` is not empty',
  ],
  [
    { containers: [{ ...container, resources: { limits: { cpu: 'many' } } }] },
    'spec.containers[0].resources.limits[cpu]: Invalid value: "many"',
  ],
  [
    { containers: [{ ...container, resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }] },
    'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
  ],
  [
    { containers: [{ ...container, volumeMounts: [{ name: 'no', mountPath: '/x' }] }] },
    'spec.containers[0].volumeMounts[0].name: Not found: "no"',
  ],
  [
    { containers: [{ ...container, livenessProbe: {} }] },
    'spec.containers[0].livenessProbe: Required value: must specify a handler type',
  ],
  [
    { containers: [container], restartPolicy: 'Sometimes' },
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
  ],
];

test('pod: refuses in the words of Kubernetes', () => {
  for (const [spec, message] of REFUSED_PODS) {
    const status = refusal(() => createPod(spec));
    assert.equal(status.code, 422, message);
    assert.ok(status.message?.includes(message), `${status.message} should say ${message}`);
  }
});

test('pod: only images and the like may change', () => {
  using context = testRegistry();
  const { registry } = context;
  registry.create(
    kindNamed('pods'),
    'default',
    { metadata: { name: 'p' }, spec: { containers: [container] } },
    WRITER,
  );
  const change = (fields: JsonObject) =>
    registry.patch(
      inDefault('pods', 'p'),
      (pod) => {
        const spec = pod['spec'] as JsonObject;
        const [first] = spec['containers'] as readonly JsonObject[];
        return { ...pod, spec: { ...spec, containers: [{ ...first, ...fields }] } };
      },
      WRITER,
    );
  change({ image: 'nginx:1.25' });
  assert.match(
    refusal(() => change({ command: ['x'] })).message ?? '',
    /spec: Forbidden: pod updates may not change fields other than/,
  );
});

test('deployment: defaults', () => {
  const { spec, metadata } = createDeployment(deploymentSpec);
  assert.equal(metadata?.generation, 1);
  assert.equal(spec?.replicas, 1);
  assert.deepEqual(spec?.strategy, {
    type: 'RollingUpdate',
    rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' },
  });
  assert.equal(createDeployment({ ...deploymentSpec, replicas: 0 }).spec?.replicas, 0);
});

const REFUSED_DEPLOYMENTS: readonly (readonly [JsonObject, string])[] = [
  [
    { ...deploymentSpec, selector: { matchLabels: { app: 'other' } } },
    'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
  ],
  [{ template }, 'spec.selector: Required value'],
  [
    { ...deploymentSpec, replicas: -1 },
    'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ],
  [
    { ...deploymentSpec, strategy: { type: 'Recreate', rollingUpdate: {} } },
    "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
  ],
  [
    { ...deploymentSpec, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
    'may not be 0 when `maxSurge` is 0',
  ],
  [
    {
      ...deploymentSpec,
      template: { ...template, spec: { containers: [container], restartPolicy: 'Never' } },
    },
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ],
];

test('deployment: refuses in the words of Kubernetes', () => {
  for (const [spec, message] of REFUSED_DEPLOYMENTS) {
    const status = refusal(() => createDeployment(spec));
    assert.equal(status.code, 422, message);
    assert.ok(status.message?.includes(message), `${status.message} should say ${message}`);
  }
});

const running = { state: { running: {} }, ready: true };
const statusOf = (fields: object): Pod =>
  ({ metadata: {}, spec: { containers: [container] }, status: fields }) as unknown as Pod;

test('podReason: the words of kubectl get pods', () => {
  for (const [pod, expected] of [
    [statusOf({ phase: 'Pending' }), 'Pending'],
    [statusOf({ phase: 'Running', containerStatuses: [running] }), 'Running'],
    [
      statusOf({
        phase: 'Pending',
        containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff' } } }],
      }),
      'ImagePullBackOff',
    ],
    [
      statusOf({
        phase: 'Succeeded',
        containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      }),
      'Completed',
    ],
    [
      statusOf({ phase: 'Failed', containerStatuses: [{ state: { terminated: { exitCode: 3 } } }] }),
      'ExitCode:3',
    ],
    [statusOf({ phase: 'Failed', reason: 'Evicted' }), 'Evicted'],
    [
      { ...statusOf({ phase: 'Running' }), metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      'Terminating',
    ],
    [
      { ...statusOf({ phase: 'Succeeded' }), metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      'Succeeded',
    ],
  ] as const)
    assert.equal(podReason(pod), expected);
});

test('pod: quantities are stored in their canonical form, whatever is none as it is for validation', () => {
  const resources = { requests: { cpu: 0.5, memory: '1024Mi' }, limits: { cpu: '1000m' } };
  const { spec } = createPod({ containers: [{ ...container, resources: resources as never }] });
  assert.deepEqual(spec?.containers[0]?.resources, {
    requests: { cpu: '500m', memory: '1Gi' },
    limits: { cpu: '1' },
  });
});
