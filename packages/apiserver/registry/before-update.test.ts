import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '#kube-api';
import { kindNamed, refusal } from '../testing/registry.ts';
import { beforeUpdate } from './before-update.ts';
import type { KindContext } from './kind.ts';
import { metaOf } from './metadata.ts';

const deployments = kindNamed('deployments', 'apps');
const NO_CONTEXT = {} as KindContext;
const spec = (replicas: number): JsonObject => ({
  replicas,
  selector: { matchLabels: { a: 'b' } },
  template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'nginx' }] } },
});
const META = {
  name: 'd',
  namespace: 'default',
  uid: 'u-1',
  resourceVersion: '5',
  creationTimestamp: '2026-01-02T00:00:00Z',
  generation: 3,
};
const old: JsonObject = {
  ...deployments.defaults?.({ metadata: META, spec: spec(1) }),
  status: { replicas: 1 },
};
const update = (given: JsonObject, options: Parameters<typeof beforeUpdate>[3] = {}) =>
  beforeUpdate(deployments, old, given, options, NO_CONTEXT);

describe('beforeUpdate', () => {
  test('a main write keeps status and identity, whatever is given', () => {
    const object = update({
      metadata: {
        name: 'd',
        namespace: 'default',
        creationTimestamp: '2020-01-01T00:00:00Z',
        labels: { x: 'y' },
      },
      spec: spec(1),
      status: { replicas: 9 },
    });
    const { creationTimestamp, uid, generation, labels } = metaOf(object);
    assert.deepEqual(
      [creationTimestamp, uid, generation, labels],
      [META.creationTimestamp, 'u-1', 3, { x: 'y' }],
    );
    assert.deepEqual(object['status'], { replicas: 1 });
  });

  test('a changed spec counts up the generation', () => {
    assert.equal(metaOf(update({ metadata: META, spec: spec(2) })).generation, 4);
  });

  test('a status write changes the status alone', () => {
    const object = update(
      { metadata: META, spec: spec(7), status: { replicas: 2 } },
      { subresource: 'status' },
    );
    assert.deepEqual(object['status'], { replicas: 2 });
    assert.deepEqual([object['spec'], metaOf(object).generation], [old['spec'], 3]);
  });

  const conflicts: readonly (readonly [string, JsonObject])[] = [
    ['another version', { resourceVersion: '4' }],
    ['another object of the same name', { uid: 'u-2' }],
  ];
  for (const [what, meta] of conflicts)
    test(`${what}: 409`, () => {
      assert.equal(refusal(() => update({ metadata: { ...META, ...meta }, spec: spec(1) })).code, 409);
    });

  test('what is not valid: 422 with the field', () => {
    const status = refusal(() => update({ metadata: META, spec: spec(-1) }));
    assert.deepEqual([status.code, status.details?.causes?.[0]?.field], [422, 'spec.replicas']);
  });
});
