import assert from 'node:assert/strict';
import test from 'node:test';
import { a, cname, soa } from '../fixtures/records.ts';
import type { Inquiry } from '../records/resolution.ts';
import { type Message, queryMessage, type ResourceRecord } from '../wire/index.ts';
import { replyResolution } from './reply-resolution.ts';

const question: Inquiry = { name: 'www.example.com', typeCode: 1, class: 1 };
const head = (name: string, ttl = 60) => ({ name, class: 1, ttl });
const unknown = (
  name: string,
  typeCode: number,
  data: readonly number[] = [0],
  ttl = 60,
): ResourceRecord => ({
  ...head(name, ttl),
  type: 'unknown',
  typeCode,
  data: Uint8Array.from(data),
});
/** A signature begins with the type it covers. */
const rrsig = (name: string, covered: number, ttl = 60) =>
  unknown(name, 46, [covered >> 8, covered & 255, 13], ttl);
const zone = soa('example.com', 300, 40);
const reply = (parts: Partial<Message>): Message => ({
  ...queryMessage(1, question),
  response: true,
  authenticData: true,
  ...parts,
});
const text = (records: readonly ResourceRecord[]) =>
  records.map(
    (each) => `${each.name} ${each.type === 'unknown' ? each.data.slice(0, 2).join('.') : each.type}`,
  );

const signed = reply({
  answers: [
    cname('WWW.example.com', 'web.example.com'),
    rrsig('www.example.com', 5),
    a('web.example.com', '192.0.2.1'),
    rrsig('web.example.com', 1, 30),
    rrsig('web.example.com', 28),
    rrsig('other.example.com', 1),
  ],
  authorities: [unknown('a.example.com', 47), rrsig('a.example.com', 47), rrsig('example.com', 2)],
});

test('replyResolution: without DO, signatures stay behind', () => {
  const found = replyResolution(question, signed);
  assert.deepEqual(text(found.answers), ['www.example.com CNAME', 'web.example.com A']);
  assert.deepEqual([found.authorities, found.lifetimeMs, found.authenticData], [[], 60_000, true]);
});

test('replyResolution: with DO, the signatures of what is given and the proofs of a wildcard come along', () => {
  const found = replyResolution({ ...question, dnssecOk: true }, signed);
  assert.deepEqual(text(found.answers), [
    'www.example.com CNAME',
    'www.example.com 0.5',
    'web.example.com A',
    'web.example.com 0.1',
  ]);
  assert.deepEqual(text(found.authorities), ['a.example.com 0', 'a.example.com 0.47']);
  assert.equal(found.lifetimeMs, 30_000);
});

test('replyResolution: with DO, a denial keeps its proofs', () => {
  const denial = reply({
    rcode: 3,
    authorities: [
      zone,
      rrsig('example.com', 6),
      unknown('h1.example.com', 50, [1]),
      rrsig('h1.example.com', 50),
      { ...head('example.com'), type: 'NS', target: 'ns.evil.example' },
    ],
  });
  const bare = replyResolution(question, denial);
  assert.deepEqual(text(bare.authorities), ['example.com SOA']);
  const found = replyResolution({ ...question, dnssecOk: true }, denial);
  assert.deepEqual(text(found.authorities), [
    'example.com SOA',
    'example.com 0.6',
    'h1.example.com 1',
    'h1.example.com 0.50',
  ]);
  assert.ok(found.authorities.every(({ ttl }) => ttl === 40));
});

test('replyResolution: with DO, a CNAME made of a DNAME is proved by that', () => {
  const parts = reply({
    answers: [
      unknown('example.com', 39),
      rrsig('example.com', 39),
      unknown('example.net', 39),
      cname('www.example.com', 'www.example.org'),
      a('www.example.org', '192.0.2.1'),
    ],
  });
  assert.deepEqual(text(replyResolution({ ...question, dnssecOk: true }, parts).answers), [
    'example.com 0',
    'example.com 0.39',
    'www.example.com CNAME',
    'www.example.org A',
  ]);
  assert.equal(replyResolution(question, parts).answers.length, 2);
});
