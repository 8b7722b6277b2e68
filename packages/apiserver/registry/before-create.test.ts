import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '#kube-api';
import { FakeClock, seededRandom } from '#runtime';
import { kindNamed, refusal } from '../testing/registry.ts';
import { beforeCreate } from './before-create.ts';
import type { KindContext } from './kind.ts';
import { metaOf } from './metadata.ts';

const configMaps = kindNamed('configmaps');
const namespaceObject = (meta: JsonObject = {}): JsonObject => ({ metadata: { name: 'default', ...meta } });

/** A world that has one namespace, or none. */
function context(namespace: JsonObject | undefined = namespaceObject()): KindContext {
  return {
    clock: new FakeClock(Date.UTC(2026, 0, 2)),
    random: seededRandom(1),
    services: undefined as never,
    find: (storage, key) => (storage === 'namespaces' && key === 'default' ? namespace : undefined),
  };
}

describe('beforeCreate', () => {
  test('gives uid, time and the namespace of the request; what only the server sets is taken away', () => {
    const given = {
      metadata: { name: 'x', deletionTimestamp: '2020-01-01T00:00:00Z', selfLink: '/x' },
      data: { a: '1' },
    };
    const object = beforeCreate(configMaps, 'default', given, context());
    const { uid, ...meta } = metaOf(object);
    assert.deepEqual(meta, { name: 'x', namespace: 'default', creationTimestamp: '2026-01-02T00:00:00Z' });
    assert.match(uid ?? '', /^[0-9a-f-]{36}$/);
    assert.deepEqual(object['data'], { a: '1' });
  });

  test('makes a name from generateName, but never in place of one that was given', () => {
    const named = (metadata: JsonObject) =>
      metaOf(beforeCreate(configMaps, 'default', { metadata }, context())).name;
    assert.match(named({ generateName: 'a-' }) ?? '', /^a-[a-z0-9]{5}$/);
    assert.equal(named({ name: 'x', generateName: 'a-' }), 'x');
  });

  const refused: readonly (readonly [string, JsonObject, JsonObject | undefined, number])[] = [
    ['a resourceVersion', { name: 'x', resourceVersion: '1' }, namespaceObject(), 400],
    ['another namespace than that of the request', { name: 'x', namespace: 'other' }, namespaceObject(), 400],
    ['a namespace that is not there', { name: 'x' }, undefined, 404],
    ['a namespace that ends', { name: 'x' }, namespaceObject({ deletionTimestamp: 'now' }), 403],
    ['no name', {}, namespaceObject(), 422],
  ];
  for (const [what, metadata, namespace, code] of refused)
    test(`refuses ${what}: ${code}`, () => {
      const world = { ...context(), find: () => namespace };
      assert.equal(refusal(() => beforeCreate(configMaps, 'default', { metadata }, world)).code, code);
    });

  test('a status is for the status subresource alone, and a kind with a generation begins with 1', () => {
    const given = {
      metadata: { name: 'x' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: { containers: [{ name: 'c', image: 'nginx' }] },
        },
      },
      status: { replicas: 7 },
    };
    const object = beforeCreate(kindNamed('deployments', 'apps'), 'default', given, context());
    assert.deepEqual(object['status'], {}, 'as the kind has it by default');
    assert.equal(metaOf(object).generation, 1);
  });
});
