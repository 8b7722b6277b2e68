import assert from 'node:assert/strict';
import test from 'node:test';
import { parseIp } from '#ip';
import { record } from '../records/resolution.ts';
import { decodeMessage, META_TYPES } from '../wire/index.ts';
import { transferMessages } from './zone-transfers.ts';

const request = {
  id: 4711,
  question: { name: 'Cluster.local', typeCode: META_TYPES.AXFR, class: 1 },
  recursionDesired: true,
  edns: true,
  dnssecOk: false,
};

test('transferMessages: splits records in order over messages that compression reaches all of', () => {
  const records = Array.from({ length: 3000 }, (_, i) =>
    record(`pod-${i}.web.shop.svc.cluster.local`, 5, {
      type: 'A',
      address: parseIp(`10.1.${i >> 8}.${i & 255}`),
    }),
  );
  const octets = [...transferMessages(request, records)];
  const messages = octets.map(decodeMessage);
  assert.ok(octets.length > 3);
  assert.ok(octets.every(({ length }) => length < 17_000));
  // A name whole, and 2 octets for what it shares with the first.
  assert.ok(octets.reduce((sum, { length }) => sum + length, 0) < 3000 * 26);
  assert.deepEqual(
    messages.flatMap(({ answers }) => answers),
    records,
  );
  for (const [i, { id, response, authoritative, rcode, questions, edns }] of messages.entries()) {
    assert.deepEqual([id, response, authoritative, rcode], [4711, true, true, 0]);
    assert.deepEqual(questions, i === 0 ? [request.question] : []);
    assert.equal(edns === undefined, i > 0);
  }
});

test('transferMessages: leaves out a record that no message can hold, and nothing points into it', () => {
  const held = (name: string) => record(name, 5, { type: 'A', address: parseIp('10.1.0.1') });
  const bad = held(`${'y'.repeat(64)}.shop.svc.cluster.local`);
  const worse = held(`shared.${'x'.repeat(64)}.cluster.local`);
  const good = [held('web.shop.svc.cluster.local'), held('shared.shop.svc.cluster.local')];
  const [message, ...more] = [...transferMessages(request, [bad, worse, ...good])].map(decodeMessage);
  assert.deepEqual([message?.answers, more], [good, []]);
});
