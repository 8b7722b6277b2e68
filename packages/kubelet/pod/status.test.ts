import assert from 'node:assert/strict';
import test from 'node:test';
import type { ContainerState, PodSpec } from '#kube-api';
import type { ContainerView, PodView } from './pod-view.ts';
import { podPhase, podStatus } from './status.ts';

const NOW = '2026-01-02T03:04:05Z';
const running: ContainerState = { running: { startedAt: NOW } };
const waiting: ContainerState = { waiting: { reason: 'ContainerCreating' } };
const ended = (exitCode: number): ContainerState => ({ terminated: { exitCode } });

const container = (state: ContainerState, more: Partial<ContainerView> = {}): ContainerView => ({
  container: { name: more.kind ?? 'app', image: 'x' },
  kind: 'app',
  state,
  lastState: {},
  restartCount: 0,
  containerId: 'podway://1',
  imageId: 'podway://x',
  started: state.running !== undefined,
  ready: state.running !== undefined,
  ...more,
});

const view = (
  containers: readonly ContainerView[],
  spec: Partial<PodSpec> = {},
  more: Partial<PodView> = {},
): PodView => ({
  pod: { metadata: { name: 'p' }, spec: { containers: [], ...spec } },
  containers,
  podIps: ['10.244.0.2'],
  hostIps: ['172.30.0.11'],
  startTime: NOW,
  sandboxReady: true,
  now: NOW,
  ...more,
});

const init = (state: ContainerState) =>
  container(state, { kind: 'init', ready: state.terminated?.exitCode === 0 });
const sidecar = (state: ContainerState) => container(state, { kind: 'sidecar' });

for (const { name, containers, restartPolicy = 'Always', phase } of [
  { name: 'nothing started', containers: [container(waiting)], phase: 'Pending' },
  { name: 'one of two started', containers: [container(running), container(waiting)], phase: 'Pending' },
  { name: 'all running', containers: [container(running), container(running)], phase: 'Running' },
  {
    name: 'a debugging container says nothing of the Pod',
    containers: [container(ended(0)), container(running, { kind: 'ephemeral' })],
    restartPolicy: 'Never',
    phase: 'Succeeded',
  },
  { name: 'init still running', containers: [init(running), container(waiting)], phase: 'Pending' },
  { name: 'init done', containers: [init(ended(0)), container(running)], phase: 'Running' },
  {
    name: 'init failed, to be tried again',
    containers: [init(ended(1)), container(waiting)],
    phase: 'Pending',
  },
  {
    name: 'init failed for good',
    containers: [init(ended(1)), container(waiting)],
    restartPolicy: 'Never',
    phase: 'Failed',
  },
  { name: 'sidecar not started', containers: [sidecar(waiting), container(waiting)], phase: 'Pending' },
  { name: 'all succeeded', containers: [container(ended(0))], restartPolicy: 'Never', phase: 'Succeeded' },
  { name: 'all succeeded, to be restarted', containers: [container(ended(0))], phase: 'Running' },
  {
    name: 'one failed, one runs',
    containers: [container(ended(1)), container(running)],
    restartPolicy: 'Never',
    phase: 'Running',
  },
  {
    name: 'one failed for good',
    containers: [container(ended(1)), container(ended(0))],
    restartPolicy: 'Never',
    phase: 'Failed',
  },
  {
    name: 'failed, to be tried again',
    containers: [container(ended(1))],
    restartPolicy: 'OnFailure',
    phase: 'Running',
  },
  {
    name: 'in CrashLoopBackOff',
    containers: [container({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: ended(1) })],
    phase: 'Running',
  },
])
  test(`podPhase: ${name}`, () => assert.equal(podPhase(view(containers, { restartPolicy })), phase));

const conditionOf = (status: ReturnType<typeof podStatus>, type: string) =>
  status.conditions?.find((condition) => condition.type === type);

test('podStatus: addresses, and readiness of all containers', () => {
  const status = podStatus(view([container(running)]));
  assert.equal(status.podIP, '10.244.0.2');
  assert.deepEqual(status.hostIPs, [{ ip: '172.30.0.11' }]);
  assert.equal(conditionOf(status, 'Ready')?.status, 'True');
});

test('podStatus: names the containers that are not ready', () => {
  const status = podStatus(
    view([container(running), container(running, { ready: false, container: { name: 'slow' } })]),
  );
  assert.equal(conditionOf(status, 'Ready')?.message, 'containers with unready status: [slow]');
  assert.equal(conditionOf(status, 'ContainersReady')?.reason, 'ContainersNotReady');
});

test('podStatus: a readiness gate holds Ready back, and conditions of others stay', () => {
  const conditionType = 'example.com/ready';
  const spec = { readinessGates: [{ conditionType }] };
  const held = podStatus(view([container(running)], spec));
  assert.equal(conditionOf(held, 'Ready')?.reason, 'ReadinessGatesNotReady');
  assert.equal(conditionOf(held, 'ContainersReady')?.status, 'True');
  const pod = {
    spec: { containers: [], ...spec },
    status: { conditions: [{ type: conditionType, status: 'True' }] },
  };
  const open = podStatus(view([container(running)], spec, { pod }));
  assert.equal(conditionOf(open, 'Ready')?.status, 'True');
  assert.equal(conditionOf(open, conditionType)?.status, 'True');
});

test('podStatus: a condition that stays the same keeps its time', () => {
  const before = '2026-01-01T00:00:00Z';
  const conditions = ['Ready', 'Initialized'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: before,
  }));
  const pod = { spec: { containers: [] }, status: { conditions } };
  const status = podStatus(view([container(waiting)], {}, { pod }));
  assert.equal(conditionOf(status, 'Initialized')?.lastTransitionTime, before);
  assert.equal(conditionOf(status, 'Ready')?.lastTransitionTime, NOW);
});

test('podStatus: a debugging container has a list of its own, and makes no Pod unready', () => {
  const debugging = container(ended(1), { kind: 'ephemeral', ready: false });
  const { conditions, containerStatuses, ephemeralContainerStatuses } = podStatus(
    view([container(running), debugging]),
  );
  assert.equal(conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  assert.deepEqual(
    [containerStatuses?.map(({ name }) => name), ephemeralContainerStatuses?.map(({ name }) => name)],
    [['app'], ['ephemeral']],
  );
});
