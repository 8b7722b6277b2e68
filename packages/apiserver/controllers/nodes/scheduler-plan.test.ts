import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, node, type PodTraits, pod, replicaSet } from '../testing/objects.ts';
import { planScheduling } from './scheduler-plan.ts';

const three = [node('node1'), node('node2'), node('node3')];
const waiting = (name: string, traits: PodTraits = {}) => pod(name, { phase: 'Pending', ...traits });
const placed = (...args: Parameters<typeof planScheduling>) =>
  Object.fromEntries(planScheduling(...args).map((one) => [one.pod.metadata.name, one.node ?? one.reason]));
const affinity = (...terms: readonly object[]) => ({
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
  },
});

test('planScheduling: Pods of one owner spread, and then by how many a node has', () => {
  const owner = replicaSet('web');
  const pods = [
    ...['a', 'b', 'c', 'd'].map((name) => waiting(name, { owner })),
    pod('other', { node: 'node1', metadata: { labels: {} } }),
  ];
  assert.deepEqual(placed(pods, three), { a: 'node2', b: 'node3', c: 'node1', d: 'node2' });
});

test('planScheduling: the longest-waiting first', () => {
  const pods = [waiting('late', { metadata: { creationTimestamp: at(9) } }), waiting('early')];
  assert.deepEqual(
    planScheduling(pods, three).map((one) => one.pod.metadata.name),
    ['early', 'late'],
  );
});

test('planScheduling: who is not ours to place', () => {
  const pods = [
    waiting('bound', { node: 'node1' }),
    waiting('ending', { metadata: { deletionTimestamp: at(0) } }),
    waiting('gated', { spec: { schedulingGates: [{ name: 'g' }] } }),
    waiting('elsewhere', { spec: { schedulerName: 'mine' } }),
    waiting('done', { phase: 'Failed' }),
  ];
  assert.deepEqual(placed(pods, three), {});
});

test('planScheduling: where a Pod may go', () => {
  const nodes = [
    node('plain'),
    node('fast', { metadata: { labels: { disk: 'fast', cores: '8' } } }),
    node('tainted', { spec: { taints: [{ key: 'only', value: 'gpu', effect: 'NoSchedule' }] } }),
  ];
  const only = (key: string, operator: string, ...values: string[]) =>
    affinity({ matchExpressions: [{ key, operator, values }] });
  const table = [
    ['selector', { nodeSelector: { disk: 'fast' } }, 'fast'],
    ['In', only('disk', 'In', 'slow', 'fast'), 'fast'],
    ['Gt', only('cores', 'Gt', '4'), 'fast'],
    ['Exists', only('disk', 'Exists'), 'fast'],
    [
      'NotIn and DoesNotExist',
      affinity({
        matchExpressions: [
          { key: 'disk', operator: 'NotIn', values: ['fast'] },
          { key: 'disk', operator: 'DoesNotExist' },
        ],
      }),
      'plain',
    ],
    [
      'terms are alternatives',
      affinity(
        { matchExpressions: [{ key: 'x', operator: 'Exists' }] },
        { matchExpressions: [{ key: 'disk', operator: 'Exists' }] },
      ),
      'fast',
    ],
    [
      'by field',
      affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['plain'] }] }),
      'plain',
    ],
    [
      'tolerated',
      {
        tolerations: [{ key: 'only', operator: 'Exists' }],
        nodeSelector: { 'kubernetes.io/hostname': 'tainted' },
      },
      'tainted',
    ],
    [
      'preferred',
      {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 5, preference: { matchExpressions: [{ key: 'disk', operator: 'Exists' }] } },
            ],
          },
        },
      },
      'fast',
    ],
    [
      'an empty term selects nothing',
      affinity({}),
      "0/3 nodes are available: 1 node(s) had untolerated taint {only: gpu}, 2 node(s) didn't match Pod's node affinity/selector.",
    ],
  ] as const;
  for (const [what, spec, expected] of table) {
    const nodesHere = nodes.map((one) => ({
      ...one,
      metadata: {
        ...one.metadata,
        labels: { ...one.metadata.labels, 'kubernetes.io/hostname': one.metadata.name },
      },
    }));
    assert.equal(placed([waiting('p', { spec })], nodesHere)['p'], expected, what);
  }
});

test('planScheduling: why no node would do', () => {
  const unready = node('a', { status: { conditions: [{ type: 'Ready', status: 'False' }] } });
  const cordoned = node('b', { spec: { unschedulable: true } });
  assert.equal(
    placed([waiting('p')], [unready, cordoned, { ...node('c'), status: {} }])['p'],
    '0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.',
  );
  assert.equal(placed([waiting('p')], [])['p'], 'no nodes available to schedule pods');
});

test('planScheduling: a host port is taken once a node', () => {
  const spec = { containers: [{ name: 'main', ports: [{ containerPort: 80, hostPort: 80 }] }] };
  const pods = ['a', 'b', 'c'].map((name) => waiting(name, { spec }));
  assert.deepEqual(placed(pods, [node('node1'), node('node2')]), {
    a: 'node1',
    b: 'node2',
    c: "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.",
  });
});
