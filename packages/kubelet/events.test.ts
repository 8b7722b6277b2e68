import assert from 'node:assert/strict';
import test from 'node:test';
import { EVENTS } from '#kube-api';
import { FakeKubeClient } from '#kube-client';
import { FakeClock, seededRandom, silentLogger } from '#runtime';
import { createEventRecorder, podReference } from './events.ts';

const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test('EventRecorder: equal events become one with a count; names sort by time', async () => {
  const client = new FakeKubeClient();
  const clock = new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
  const recorder = createEventRecorder({
    client,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    component: 'kubelet',
    host: 'node1',
  });
  const pod = { metadata: { name: 'web', namespace: 'default', uid: 'u1' } };
  const subject = podReference(pod, { name: 'main', init: false });
  for (const reason of ['Pulled', 'Created', 'Started', 'Pulled'])
    recorder.record(subject, 'Normal', reason, 'x');
  clock.advance(1000);
  recorder.record(subject, 'Normal', 'Pulled', 'x');
  await settle();
  const { items } = await client.list(EVENTS, { namespace: 'default' });
  const sorted = items.toSorted((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
  assert.deepEqual(
    sorted.map(({ reason, count }) => [reason, count]),
    [
      ['Pulled', 3],
      ['Created', 1],
      ['Started', 1],
    ],
  );
  assert.equal(sorted[0]?.firstTimestamp, '2026-01-02T03:04:05Z');
  assert.equal(sorted[0]?.lastTimestamp, '2026-01-02T03:04:06Z');
  assert.equal(sorted[0]?.involvedObject.fieldPath, 'spec.containers{main}');
});

test('EventRecorder: an API server that is away is no failure', async () => {
  const client = new FakeKubeClient();
  client.setAway(true);
  const recorder = createEventRecorder({
    client,
    clock: new FakeClock(),
    random: seededRandom(1),
    logger: silentLogger,
    component: 'kubelet',
    host: 'node1',
  });
  recorder.record({ kind: 'Node', name: 'node1' }, 'Normal', 'NodeReady', 'x');
  await settle();
  client.setAway(false);
  assert.deepEqual((await client.list(EVENTS)).items, []);
});
