import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENTS } from '#kube-api';
import { FakeKubeClient } from '#kube-client';
import { FakeClock, seededRandom, silentLogger } from '#runtime';
import { at, EPOCH, node, pod } from '../testing/objects.ts';
import { ApiEventRecorder } from './event-recorder.ts';

function setup() {
  const client = new FakeKubeClient();
  const clock = new FakeClock(EPOCH);
  const recorder = new ApiEventRecorder(
    { client, clock, logger: silentLogger, random: seededRandom(1) },
    'tester',
  );
  return { client, clock, recorder, list: async () => (await client.list(EVENTS)).items };
}

test('ApiEventRecorder: an event says what happened to whom, and by whose word', async () => {
  const { recorder, list } = setup();
  recorder.record(pod('web'), 'Warning', 'Failed', 'it failed');
  await recorder.flush();
  const [event] = await list();
  assert.match(event?.metadata?.name ?? '', /^web\.[0-9a-f]{16}$/);
  assert.deepEqual(event?.involvedObject, {
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: 'default',
    name: 'web',
    uid: 'uid-web',
    resourceVersion: '1',
  });
  assert.deepEqual(
    [
      event?.type,
      event?.reason,
      event?.message,
      event?.source?.component,
      event?.count,
      event?.firstTimestamp,
    ],
    ['Warning', 'Failed', 'it failed', 'tester', 1, at(0)],
  );
});

test('ApiEventRecorder: what is repeated is counted, also when the object has changed since', async () => {
  const { clock, recorder, list } = setup();
  for (let i = 0; i < 3; i++) {
    recorder.record(pod('web', { metadata: { resourceVersion: String(i) } }), 'Normal', 'Again', 'same');
    clock.advance(10_000);
  }
  recorder.record(pod('web'), 'Normal', 'Again', 'other');
  await recorder.flush();
  const events = (await list()).map(({ message, count }) => `${message} ${count}`);
  assert.deepEqual(events.toSorted(), ['other 1', 'same 3']);
});

test('ApiEventRecorder: one that was counted and has expired is written anew', async () => {
  const { client, recorder, list } = setup();
  recorder.record(pod('web'), 'Normal', 'Again', 'same');
  await recorder.flush();
  const name = (await list())[0]?.metadata?.name ?? '';
  await client.delete(EVENTS, { namespace: 'default', name });
  recorder.record(pod('web'), 'Normal', 'Again', 'same');
  await recorder.flush();
  assert.deepEqual(
    (await list()).map(({ count }) => count),
    [1],
  );
});

test('ApiEventRecorder: events of cluster-scoped objects lie in default', async () => {
  const { recorder, list } = setup();
  recorder.record(node('node1'), 'Normal', 'Ready', 'it is');
  await recorder.flush();
  assert.equal((await list())[0]?.metadata?.namespace, 'default');
});

test('ApiEventRecorder: a server that is away costs an event and nothing more', async () => {
  const { client, recorder, list } = setup();
  client.setAway(true);
  recorder.record(pod('web'), 'Normal', 'Lost', 'lost');
  await recorder.flush();
  client.setAway(false);
  assert.deepEqual(await list(), []);
});
