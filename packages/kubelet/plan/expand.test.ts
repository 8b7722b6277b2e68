import assert from 'node:assert/strict';
import test from 'node:test';
import { expandReferences } from './expand.ts';

for (const [text, expected] of [
  ['$(A) and $(A)', '1 and 1'],
  ['$(MISSING)', '$(MISSING)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$1'],
  ['$A {A} $', '$A {A} $'],
  ['$(A', '$(A'],
] as const)
  test(`expandReferences: ${text}`, () =>
    assert.equal(
      expandReferences(text, (name) => (name === 'A' ? '1' : undefined)),
      expected,
    ));
