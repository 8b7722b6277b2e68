import assert from 'node:assert/strict';
import test from 'node:test';
import { queryMessage, type ResourceRecord } from '../wire/index.ts';
import { withAskedCase } from './sent-case.ts';

test('withAskedCase: what came of the question gets its case back, and nothing else', () => {
  const head = { class: 1, ttl: 5 };
  const cname = (name: string, target: string): ResourceRecord => ({ ...head, name, type: 'CNAME', target });
  const reply = {
    ...queryMessage(1, { name: 'wWw.eXample.cOm', typeCode: 1, class: 1 }),
    answers: [
      cname('wWw.eXample.cOm', 'Web.eXample.cOm'),
      cname('Web.eXample.cOm', 'CDN.Other.cOm'),
      cname('CDN.Other.cOm', 'aeXample.cOm.example.net'),
      { ...head, name: 'eXample.cOm', type: 'MX', preference: 1, target: 'WWW.Example.COM' } as const,
    ],
  };
  const { answers } = withAskedCase(reply, 'wWw.eXample.cOm', 'www.example.com');
  assert.deepEqual(answers, [
    cname('www.example.com', 'Web.example.com'),
    cname('Web.example.com', 'CDN.Other.com'),
    cname('CDN.Other.com', 'aeXample.cOm.example.net'),
    { ...head, name: 'example.com', type: 'MX', preference: 1, target: 'WWW.Example.COM' },
  ]);
});
