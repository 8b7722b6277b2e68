import assert from 'node:assert/strict';
import { test } from 'node:test';
import { template } from '../testing/objects.ts';
import { sameTemplate, TEMPLATE_HASH_LABEL, templateHash } from './template-hash.ts';

const labelled = (labels: Readonly<Record<string, string>>) => ({ ...template('a'), metadata: { labels } });

test('templateHash: the same for equal templates, whatever the order of fields and the hash label', () => {
  const turned = { spec: template('a').spec, metadata: template('a').metadata };
  assert.equal(templateHash(turned, 0), templateHash(template('a'), 0));
  const marked = labelled({ app: 'web', [TEMPLATE_HASH_LABEL]: 'x' });
  assert.equal(templateHash(marked, 0), templateHash(labelled({ app: 'web' }), 0));
});

test('templateHash: another template or another collision is another name', () => {
  const names = [
    templateHash(template('a'), 0),
    templateHash(template('b'), 0),
    templateHash(template('a'), 1),
  ];
  assert.equal(new Set(names).size, 3);
  for (const name of names) assert.match(name, /^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
});

test('sameTemplate: only the hash label is passed over', () => {
  assert.ok(sameTemplate(labelled({ a: 'b', [TEMPLATE_HASH_LABEL]: 'x' }), labelled({ a: 'b' })));
  assert.ok(!sameTemplate(labelled({ a: 'b' }), labelled({ a: 'c' })));
  assert.ok(!sameTemplate(undefined, undefined));
});
