import assert from 'node:assert/strict';
import test from 'node:test';
import { InvalidInputError } from '#runtime';
import { createImageTable, parseImageOverride } from './resolve.ts';

const table = createImageTable({
  host: { singleUser: false, busyboxApplets: ['wget'] },
  builtinCommand: ['node', 'podway.js', 'builtin'],
  overrides: [parseImageOverride('example.com/app:ignored=my-server --port 80')],
  which: (command) => (command === 'redis-server' ? undefined : `/usr/bin/${command}`),
});

function found(image: string) {
  const result = table.resolve(image);
  assert.equal(result.kind, 'found', JSON.stringify(result));
  return result.image;
}

test('ImageTable: a command of the host, whatever the tag', () => {
  assert.deepEqual(found('nginx:1.27').cmd, ['nginx', '-g', 'daemon off;']);
  assert.equal(found('docker.io/library/nginx').name, 'docker.io/library/nginx:latest');
});

test('ImageTable: a built-in server is an entrypoint, and learns its tag', () => {
  const image = found('gcr.io/google-samples/hello-app:2.0');
  assert.deepEqual(image.entrypoint, ['node', 'podway.js', 'builtin', 'hello-app']);
  assert.equal(image.env['PODWAY_IMAGE_TAG'], '2.0');
});

test('ImageTable: busybox brings the applets that the host lacks', () => {
  assert.deepEqual(found('busybox:1.36').links, { wget: 'busybox' });
});

test('ImageTable: an override stands for every tag', () => {
  assert.deepEqual(found('example.com/app:v7').cmd, ['my-server', '--port', '80']);
});

test('ImageTable: an unknown image says how to add it', () => {
  const result = table.resolve('example.com/unknown');
  assert.equal(result.kind, 'missing');
  assert.match(result.message, /--image example\.com\/unknown=COMMAND/);
});

test('ImageTable: a known image whose command is absent names the package', () => {
  const result = table.resolve('redis');
  assert.equal(result.kind, 'missing');
  assert.match(
    result.message,
    /redis-server, which is not installed: install it with apt-get install redis-server/,
  );
});

test('ImageTable: a bad name is invalid', () => assert.equal(table.resolve('NGINX:').kind, 'invalid'));

test('parseImageOverride: needs both sides', () => {
  for (const bad of ['nginx', '=x', 'nginx=', 'UPPER=x'])
    assert.throws(() => parseImageOverride(bad), InvalidInputError);
});
