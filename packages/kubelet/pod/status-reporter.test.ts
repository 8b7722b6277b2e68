import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PODS, type Pod } from '#kube-api';
import { FakeKubeClient } from '#kube-client';
import { FakeClock, silentLogger } from '#runtime';
import type { PodView } from './pod-view.ts';
import { StatusReporter } from './status-reporter.ts';

const NAME = { namespace: 'default', name: 'web' };

async function setup() {
  const client = new FakeKubeClient();
  const pod: Pod = await client.create(PODS, { metadata: NAME, spec: { containers: [] } });
  const known: PodView = {
    pod,
    containers: [],
    podIps: [],
    hostIps: ['172.30.0.11'],
    startTime: '2026-01-02T03:04:05Z',
    sandboxReady: false,
    now: '2026-01-02T03:04:05Z',
  };
  let view: PodView | undefined = known;
  const reporter = new StatusReporter({ client, clock: new FakeClock(), logger: silentLogger }, () => view);
  const stored = () => client.get(PODS, NAME);
  const set = (changed: Partial<PodView> | undefined) => {
    view = changed === undefined ? undefined : { ...known, ...changed };
  };
  return { client, reporter, stored, set };
}

test('StatusReporter: writes what is new, and nothing for a time alone', async () => {
  const { reporter, stored, set } = await setup();
  await reporter.report();
  const first = await stored();
  assert.equal(first.status?.hostIP, '172.30.0.11');
  set({ now: '2026-01-02T03:05:00Z' });
  await reporter.report();
  assert.equal((await stored()).metadata?.resourceVersion, first.metadata?.resourceVersion);
  set({ podIps: ['10.244.1.2'] });
  await reporter.report();
  assert.equal((await stored()).status?.podIP, '10.244.1.2');
});

test('StatusReporter: a failed write is made again though nothing has changed since', async () => {
  const { client, reporter, stored } = await setup();
  client.setAway(true);
  await assert.rejects(reporter.report());
  client.setAway(false);
  await reporter.report();
  assert.equal((await stored()).status?.hostIP, '172.30.0.11');
});

test('StatusReporter: nothing is written once the Pod is gone, and its absence is no failure', async () => {
  const { client, reporter, stored, set } = await setup();
  set(undefined);
  await reporter.report();
  assert.equal((await stored()).status?.hostIP, undefined);
  await client.delete(PODS, NAME);
  set({});
  await reporter.report();
});

test('StatusReporter: a Pod that was made anew under the name does not get the status of the one before', async () => {
  const { client, reporter, stored } = await setup();
  await client.delete(PODS, NAME);
  await client.create(PODS, { metadata: NAME, spec: { containers: [] } });
  await reporter.report();
  assert.equal((await stored()).status?.hostIP, undefined);
});
