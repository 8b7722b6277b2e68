import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidInputError } from '#runtime';
import {
  formatLabelSelector,
  matchesLabelSelector,
  matchesRequirements,
  matchesServiceSelector,
  parseLabelSelector,
} from './label-selector.ts';

const labels = { app: 'web', tier: 'front', replicas: '3' };

const MATCHING: readonly (readonly [string, boolean])[] = [
  ['', true],
  ['app=web', true],
  ['app==web', true],
  ['app = web', true],
  ['app!=web', false],
  ['other!=web', true],
  ['app in (web,db)', true],
  ['app in (db)', false],
  ['app notin (db, cache)', true],
  ['other notin (db)', true],
  ['app', true],
  ['!app', false],
  ['!other', true],
  ['app=web,tier=front', true],
  ['app in (web,db),tier notin (front)', false],
  ['replicas>2', true],
  ['replicas<3', false],
  ['app>1', false],
  ['other=', false],
];

test('parseLabelSelector: matches as Kubernetes does', () => {
  for (const [selector, expected] of MATCHING)
    assert.equal(matchesRequirements(parseLabelSelector(selector), labels), expected, selector);
});

test('parseLabelSelector: refuses what is no selector', () => {
  for (const text of ['=a', 'a in b', 'a in (b', 'a=b=c', 'a>x', '-a=b', 'a=b c'])
    assert.throws(() => parseLabelSelector(text), InvalidInputError, text);
});

test('parseLabelSelector: a label named like a member of Object is absent unless it is there', () => {
  assert.equal(matchesRequirements(parseLabelSelector('constructor'), {}), false);
});

test('matchesLabelSelector: absent matches nothing, empty everything', () => {
  assert.equal(matchesLabelSelector(undefined, labels), false);
  assert.equal(matchesLabelSelector({}, labels), true);
});

test('matchesServiceSelector: empty selects nothing', () => {
  assert.equal(matchesServiceSelector({}, labels), false);
  assert.equal(matchesServiceSelector({ app: 'web' }, labels), true);
  assert.equal(matchesServiceSelector({ app: 'web', x: 'y' }, labels), false);
});

test('formatLabelSelector: its text selects the same', () => {
  const word = fc.stringMatching(/^[a-z]{1,5}$/);
  const selector = fc.record({
    matchLabels: fc.dictionary(word, word, { maxKeys: 3 }),
    matchExpressions: fc.array(
      fc.oneof(
        fc.record({
          key: word,
          operator: fc.constantFrom('In', 'NotIn'),
          values: fc.array(word, { minLength: 1, maxLength: 3 }),
        }),
        fc.record({ key: word, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
      ),
      { maxLength: 3 },
    ),
  });
  fc.assert(
    fc.property(selector, fc.dictionary(word, word), (structured, candidate) => {
      const parsed = parseLabelSelector(formatLabelSelector(structured));
      assert.equal(matchesRequirements(parsed, candidate), matchesLabelSelector(structured, candidate));
    }),
  );
});
