import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podReference } from './pod-reference.ts';

const pod = { metadata: { name: 'web', namespace: 'default', uid: 'u1', resourceVersion: '7' } };
const reference = { apiVersion: 'v1', kind: 'Pod', ...pod.metadata };

test('podReference: the Pod, as members of lists lack their kind, or the field of a container', () => {
  assert.deepEqual(podReference(pod), reference);
  assert.deepEqual(podReference(pod, { name: 'main', init: false }), {
    ...reference,
    fieldPath: 'spec.containers{main}',
  });
  assert.deepEqual(podReference(pod, { name: 'first', init: true }), {
    ...reference,
    fieldPath: 'spec.initContainers{first}',
  });
});
