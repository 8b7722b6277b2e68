import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENTS, type ObjectReference } from '#kube-api';
import { FakeClock, seededRandom, silentLogger } from '#runtime';
import { EventRecorder } from './event-recorder.ts';
import { FakeKubeClient } from './fake/fake-client.ts';

const START = Date.parse('2026-01-02T03:04:05Z');
const POD: ObjectReference = {
  apiVersion: 'v1',
  kind: 'Pod',
  namespace: 'default',
  name: 'web',
  uid: 'uid-web',
  resourceVersion: '1',
};

function setup() {
  const client = new FakeKubeClient();
  const clock = new FakeClock(START);
  const deps = { client, clock, logger: silentLogger, random: seededRandom(1) };
  const recorder = new EventRecorder(deps, { component: 'tester', host: 'node1' });
  return { client, clock, recorder, list: async () => (await client.list(EVENTS)).items };
}

test('EventRecorder: an event says what happened to whom, and by whose word', async () => {
  const { recorder, list } = setup();
  recorder.record(POD, 'Warning', 'Failed', 'it failed');
  await recorder.flush();
  const [event] = await list();
  assert.match(event?.metadata?.name ?? '', /^web\.[0-9a-f]{18}$/);
  const { metadata: _, ...told } = event ?? {};
  assert.deepEqual(told, {
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: POD,
    type: 'Warning',
    reason: 'Failed',
    message: 'it failed',
    source: { component: 'tester', host: 'node1' },
    reportingComponent: 'tester',
    reportingInstance: 'node1',
    firstTimestamp: '2026-01-02T03:04:05Z',
    lastTimestamp: '2026-01-02T03:04:05Z',
    count: 1,
  });
});

test('EventRecorder: what is repeated is counted, also when the object has changed since', async () => {
  const { clock, recorder, list } = setup();
  for (let i = 0; i < 3; i++) {
    recorder.record({ ...POD, resourceVersion: String(i) }, 'Normal', 'Again', 'same');
    clock.advance(10_000);
  }
  recorder.record(POD, 'Normal', 'Again', 'other');
  recorder.record({ ...POD, fieldPath: 'spec.containers{main}' }, 'Normal', 'Again', 'same');
  await recorder.flush();
  const events = (await list()).map(
    ({ message, count, lastTimestamp, involvedObject }) =>
      `${involvedObject.fieldPath ?? 'Pod'}: ${message} ${count}, last ${lastTimestamp}`,
  );
  assert.deepEqual(events.toSorted(), [
    'Pod: other 1, last 2026-01-02T03:04:35Z',
    'Pod: same 3, last 2026-01-02T03:04:25Z',
    'spec.containers{main}: same 1, last 2026-01-02T03:04:35Z',
  ]);
});

test('EventRecorder: names sort by time, within a second and a millisecond too', async () => {
  const { clock, recorder, list } = setup();
  const reasons = ['Scheduled', 'Pulled', 'Created', 'Started'];
  for (const reason of reasons) {
    recorder.record(POD, 'Normal', reason, 'x');
    if (reason === 'Pulled') clock.advance(1);
  }
  await recorder.flush();
  const names = (await list()).map(({ metadata, reason }) => [metadata?.name ?? '', reason] as const);
  const sorted = names.toSorted(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(
    sorted.map(([, reason]) => reason),
    reasons,
  );
});

test('EventRecorder: one that was counted and has expired is written anew', async () => {
  const { client, recorder, list } = setup();
  recorder.record(POD, 'Normal', 'Again', 'same');
  await recorder.flush();
  const name = (await list())[0]?.metadata?.name ?? '';
  await client.delete(EVENTS, { namespace: 'default', name });
  recorder.record(POD, 'Normal', 'Again', 'same');
  await recorder.flush();
  assert.deepEqual(
    (await list()).map(({ count }) => count),
    [1],
  );
});

test('EventRecorder: events of cluster-scoped objects lie in default', async () => {
  const { recorder, list } = setup();
  recorder.record({ kind: 'Node', name: 'node1' }, 'Normal', 'Ready', 'it is');
  await recorder.flush();
  assert.equal((await list())[0]?.metadata?.namespace, 'default');
});

test('EventRecorder: a server that is away costs an event and nothing more', async () => {
  const { client, recorder, list } = setup();
  client.setAway(true);
  recorder.record(POD, 'Normal', 'Lost', 'lost');
  await recorder.flush();
  client.setAway(false);
  assert.deepEqual(await list(), []);
  recorder.record(POD, 'Normal', 'Lost', 'lost');
  await recorder.flush();
  assert.equal((await list()).length, 1);
});
