import assert from 'node:assert/strict';
import test from 'node:test';
import { InvalidInputError } from '#runtime';
import { formatImageReference, parseImageReference } from './reference.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

for (const [image, expected] of [
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.27', 'docker.io/library/nginx:1.27'],
  ['docker.io/redis:6.0.5', 'docker.io/library/redis:6.0.5'],
  ['index.docker.io/redis', 'docker.io/library/redis:latest'],
  ['curlimages/curl', 'docker.io/curlimages/curl:latest'],
  ['registry.k8s.io/e2e-test-images/agnhost:2.39', 'registry.k8s.io/e2e-test-images/agnhost:2.39'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app', 'localhost:5000/app:latest'],
  ['localhost:5000/app:v1', 'localhost:5000/app:v1'],
  [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
  [`nginx:1@${digest}`, `docker.io/library/nginx:1@${digest}`],
] as const)
  test(`parseImageReference: ${image}`, () =>
    assert.equal(formatImageReference(parseImageReference(image)), expected));

test('parseImageReference: what is no image name is refused', () => {
  for (const bad of ['', 'Nginx', 'nginx:', 'nginx:a b', 'a//b', '../etc', 'nginx@sha256:1', '-x'])
    assert.throws(() => parseImageReference(bad), InvalidInputError, bad);
});
