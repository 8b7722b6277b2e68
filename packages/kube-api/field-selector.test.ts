import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidInputError } from '#runtime';
import { matchesFields, parseFieldSelector } from './field-selector.ts';

const pod = { metadata: { name: 'a,b=c' }, spec: { nodeName: 'node1' }, status: {} };

test('parseFieldSelector: matches fields by their dotted path', () => {
  for (const [text, expected] of [
    ['', true],
    ['spec.nodeName=node1', true],
    ['spec.nodeName==node1', true],
    ['spec.nodeName!=node1', false],
    ['status.phase=', true],
    ['status.phase!=Running', true],
    ['spec.nodeName=node1,metadata.name=other', false],
    ['metadata.name=a\\,b\\=c', true],
    ['spec.constructor=', true],
  ] as const)
    assert.equal(matchesFields(parseFieldSelector(text), pod), expected, text);
});

test('parseFieldSelector: refuses what is no selector', () => {
  for (const text of ['spec.nodeName', '=x', 'a=b=c'])
    assert.throws(() => parseFieldSelector(text), InvalidInputError, text);
});
