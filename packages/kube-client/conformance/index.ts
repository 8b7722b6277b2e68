import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_MAPS, type ConfigMap, NAMESPACES, PODS, type Pod, type Resource } from '#kube-api';
import { ApiError } from '../errors.ts';
import { compareResourceVersions, metadataOf } from '../metadata.ts';
import type { KubeClient, WatchEvent } from '../ports.ts';
import { unlessGone } from '../unless-gone.ts';

/**
 * What every KubeClient must do, over whatever API server. `connect` gives a client of a server on which the suite may
 * make namespaces; it is called once a test, and what it gives is disposed of after it.
 */
export function kubeClientConformance(
  name: string,
  connect: () => Promise<{ readonly client: KubeClient } & AsyncDisposable>,
): void {
  let spaces = 0;
  const check = (what: string, body: (client: KubeClient, namespace: string) => Promise<void>) =>
    test(`KubeClient (${name}): ${what}`, async () => {
      await using connection = await connect();
      const namespace = `conformance-${process.pid}-${spaces++}`;
      await connection.client.create(NAMESPACES, { metadata: { name: namespace } });
      await body(connection.client, namespace);
    });

  check('create gives an object its uid, version and time', async (client, namespace) => {
    const made = await client.create(CONFIG_MAPS, configMap(namespace, 'a', { key: 'value' }));
    assert.equal(made.data?.['key'], 'value');
    assert.match(made.metadata?.uid ?? '', /^[0-9a-f-]{36}$/);
    assert.match(made.metadata?.resourceVersion ?? '', /^\d+$/);
    assert.ok(!Number.isNaN(Date.parse(made.metadata?.creationTimestamp ?? '')));
    assert.deepEqual(await client.get(CONFIG_MAPS, { namespace, name: 'a' }), made);
  });

  check('create makes a name from generateName', async (client, namespace) => {
    const make = () => client.create(CONFIG_MAPS, { metadata: { namespace, generateName: 'x-' } });
    const [first, second] = [await make(), await make()];
    assert.match(first.metadata?.name ?? '', /^x-.{5}$/);
    assert.notEqual(first.metadata?.name, second.metadata?.name);
  });

  check('failures carry status and reason', async (client, namespace) => {
    await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    const missing = { namespace, name: 'missing' };
    await rejects(client.create(CONFIG_MAPS, configMap(namespace, 'a')), 409, 'AlreadyExists');
    await rejects(client.get(CONFIG_MAPS, missing), 404, 'NotFound');
    await rejects(client.delete(CONFIG_MAPS, missing), 404, 'NotFound');
    await rejects(client.patch(CONFIG_MAPS, missing, 'merge', {}), 404, 'NotFound');
    await rejects(client.update(CONFIG_MAPS, configMap(namespace, 'missing')), 404, 'NotFound');
    await rejects(client.create(CONFIG_MAPS, configMap('missing', 'a')), 404, 'NotFound');
    await rejects(client.create(CONFIG_MAPS, { metadata: { namespace } }), 422, 'Invalid');
  });

  check('an error names the object', async (client, namespace) => {
    await assert.rejects(client.get(CONFIG_MAPS, { namespace, name: 'missing' }), (error: unknown) => {
      assert.ok(error instanceof ApiError);
      assert.equal(error.details?.name, 'missing');
      assert.match(error.message, /configmaps "missing" not found/);
      return true;
    });
  });

  check('update replaces, and conflicts when the version is old', async (client, namespace) => {
    const made = await client.create(CONFIG_MAPS, configMap(namespace, 'a', { old: 'x' }));
    const updated = await client.update(CONFIG_MAPS, { ...made, data: { new: 'y' } });
    assert.deepEqual(updated.data, { new: 'y' });
    assert.ok(compareResourceVersions(version(updated), version(made)) > 0);
    await rejects(client.update(CONFIG_MAPS, { ...made, data: {} }), 409, 'Conflict');
  });

  check('a write that means another object of the name is refused', async (client, namespace) => {
    const made = await client.create(PODS, pod(namespace, 'a'));
    const name = { namespace, name: 'a' };
    const uid = 'bbbbbbbb-0000-4000-8000-000000000000';
    const other = { ...made, metadata: { ...made.metadata, uid } };
    const status = { phase: 'Running' };
    const writes: readonly (readonly [() => Promise<unknown>, number, string])[] = [
      [() => client.update(PODS, other), 409, 'Conflict'],
      [() => client.update(PODS, { ...other, status }, 'status'), 409, 'Conflict'],
      [() => client.delete(PODS, name, { preconditions: { uid } }), 409, 'Conflict'],
      // To kube-apiserver the uid of a patch is a field that is changed, not a precondition.
      [() => client.patch(PODS, name, 'merge', { metadata: { uid } }), 422, 'Invalid'],
      [() => client.patch(PODS, name, 'merge', { metadata: { uid }, status }, 'status'), 422, 'Invalid'],
    ];
    for (const [write, code, reason] of writes) {
      await rejects(write(), code, reason);
      await unlessGone(write);
    }
    const { resourceVersion } = made.metadata ?? {};
    await client.patch(PODS, name, 'merge', { metadata: { uid: made.metadata?.uid }, status }, 'status');
    const writeToOld = () => client.patch(PODS, name, 'merge', { metadata: { resourceVersion } });
    await rejects(unlessGone(writeToOld), 409, 'Conflict');
  });

  check('an update that changes nothing makes no new version', async (client, namespace) => {
    const made = await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    assert.equal(version(await client.update(CONFIG_MAPS, made)), version(made));
  });

  check('merge and JSON patches', async (client, namespace) => {
    await client.create(CONFIG_MAPS, configMap(namespace, 'a', { keep: '1', drop: '2' }));
    const name = { namespace, name: 'a' };
    const merged = await client.patch(CONFIG_MAPS, name, 'merge', { data: { drop: null, add: '3' } });
    assert.deepEqual(merged.data, { keep: '1', add: '3' });
    const operations = [
      { op: 'test', path: '/data/keep', value: '1' },
      { op: 'replace', path: '/data/keep', value: '4' },
      { op: 'remove', path: '/data/add' },
      { op: 'add', path: '/metadata/labels', value: { 'a/b': 'c' } },
    ];
    const patched = await client.patch(CONFIG_MAPS, name, 'json', operations);
    assert.deepEqual(patched.data, { keep: '4' });
    assert.deepEqual(patched.metadata?.labels, { 'a/b': 'c' });
    await rejects(
      client.patch(CONFIG_MAPS, name, 'json', [{ op: 'remove', path: '/data/none' }]),
      422,
      'Invalid',
    );
    await rejects(client.patch(CONFIG_MAPS, name, 'json', { data: {} }), 400, 'BadRequest');
  });

  check('status is written through its subresource alone', async (client, namespace) => {
    const made = await client.create(PODS, pod(namespace, 'a'));
    assert.equal(made.status?.phase, 'Pending');
    const running = await client.update(PODS, { ...made, status: { phase: 'Running' } }, 'status');
    assert.equal(running.status?.phase, 'Running');
    const labelled = await client.patch(PODS, { namespace, name: 'a' }, 'merge', {
      metadata: { labels: { a: 'b' } },
      status: { phase: 'Failed' },
    });
    assert.equal(labelled.status?.phase, 'Running');
    assert.equal(labelled.metadata?.labels?.['a'], 'b');
  });

  check('lists select by labels, fields and namespace', async (client, namespace) => {
    for (const [name, tier] of [
      ['a', 'front'],
      ['b', 'back'],
      ['c', 'front'],
    ] as const)
      await client.create(CONFIG_MAPS, { metadata: { namespace, name, labels: { tier } } });
    const names = async (options: object) =>
      (await client.list(CONFIG_MAPS, { namespace, ...options })).items
        .map((item) => item.metadata?.name ?? '')
        .filter((name) => name.length === 1);
    assert.deepEqual(await names({}), ['a', 'b', 'c']);
    assert.deepEqual(await names({ labelSelector: 'tier=front' }), ['a', 'c']);
    assert.deepEqual(await names({ labelSelector: 'tier notin (front,other)' }), ['b']);
    assert.deepEqual(await names({ labelSelector: 'tier,tier!=back', fieldSelector: 'metadata.name!=c' }), [
      'a',
    ]);
    const everywhere = await client.list(CONFIG_MAPS);
    assert.ok(everywhere.items.some((item) => item.metadata?.namespace === namespace));
    const elsewhere = await client.list(CONFIG_MAPS, { namespace: 'kube-system' });
    assert.ok(elsewhere.items.every((item) => item.metadata?.namespace === 'kube-system'));
  });

  check('delete obeys its preconditions', async (client, namespace) => {
    await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    const name = { namespace, name: 'a' };
    await rejects(client.delete(CONFIG_MAPS, name, { preconditions: { uid: 'other' } }), 409, 'Conflict');
    await client.delete(CONFIG_MAPS, name);
    await rejects(client.get(CONFIG_MAPS, name), 404, 'NotFound');
  });

  check('an object with finalizers goes when the last is removed', async (client, namespace) => {
    const name = { namespace, name: 'a' };
    await client.create(CONFIG_MAPS, { metadata: { ...name, finalizers: ['podway.example/test'] } });
    await client.delete(CONFIG_MAPS, name);
    const held = await client.get(CONFIG_MAPS, name);
    assert.notEqual(held.metadata?.deletionTimestamp, undefined);
    await client.patch(CONFIG_MAPS, name, 'merge', { metadata: { finalizers: null } });
    await rejects(client.get(CONFIG_MAPS, name), 404, 'NotFound');
  });

  check('a bound Pod is deleted gracefully, an unbound one at once', async (client, namespace) => {
    await client.create(PODS, pod(namespace, 'bound'));
    await client.create(PODS, pod(namespace, 'unbound'));
    const name = { namespace, name: 'bound' };
    const binding = { metadata: name, target: { kind: 'Node', name: 'node1' } };
    await client.post(PODS, name, 'binding', binding);
    assert.equal((await client.get(PODS, name)).spec?.nodeName, 'node1');
    await rejects(client.post(PODS, name, 'binding', binding), 409, 'Conflict');
    await client.delete(PODS, { namespace, name: 'unbound' });
    await rejects(client.get(PODS, { namespace, name: 'unbound' }), 404, 'NotFound');
    await client.delete(PODS, name, { gracePeriodSeconds: 7 });
    assert.equal((await client.get(PODS, name)).metadata?.deletionGracePeriodSeconds, 7);
    await client.delete(PODS, name, { gracePeriodSeconds: 0 });
    await rejects(client.get(PODS, name), 404, 'NotFound');
  });

  check('a watch tells every change after its version, in order', async (client, namespace) => {
    await client.create(CONFIG_MAPS, configMap(namespace, 'before'));
    const { resourceVersion } = await client.list(CONFIG_MAPS, { namespace });
    const made = await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    await using watch = watching(client, CONFIG_MAPS, namespace, resourceVersion);
    assert.deepEqual(await watch.next(), ['ADDED', 'a']);
    await client.update(CONFIG_MAPS, { ...made, data: { b: 'c' } });
    assert.deepEqual(await watch.next(), ['MODIFIED', 'a']);
    await client.delete(CONFIG_MAPS, { namespace, name: 'a' });
    assert.deepEqual(await watch.next(), ['DELETED', 'a']);
    assert.ok(
      compareResourceVersions(watch.lastVersion, version(made)) > 0,
      'a deletion has a version of its own',
    );
  });

  check('a watch with a selector shows what enters and leaves it', async (client, namespace) => {
    const { resourceVersion } = await client.list(CONFIG_MAPS, { namespace });
    await using watch = watching(client, CONFIG_MAPS, namespace, resourceVersion, 'on=yes');
    const name = { namespace, name: 'a' };
    await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    await client.patch(CONFIG_MAPS, name, 'merge', { metadata: { labels: { on: 'yes' } } });
    assert.deepEqual(await watch.next(), ['ADDED', 'a']);
    await client.patch(CONFIG_MAPS, name, 'merge', { metadata: { labels: { on: 'no' } } });
    assert.deepEqual(await watch.next(), ['DELETED', 'a']);
  });

  check('an aborted watch ends, quietly or with the reason', async (client, namespace) => {
    const { resourceVersion } = await client.list(CONFIG_MAPS, { namespace });
    const abort = new AbortController();
    const events = client.watch(CONFIG_MAPS, { namespace, resourceVersion, signal: abort.signal });
    const next = events[Symbol.asyncIterator]().next();
    const reason = new Error('enough');
    abort.abort(reason);
    const end = await next.catch((error: unknown) => error);
    assert.ok(end === reason || (end as IteratorResult<unknown>).done === true, String(end));
  });
}

type Shown = readonly [WatchEvent<unknown>['type'], string];

/** Follows one namespace, passing over bookmarks and over what the server itself puts there. */
function watching<T>(
  client: KubeClient,
  resource: Resource<T>,
  namespace: string,
  resourceVersion: string,
  labelSelector = '',
) {
  const abort = new AbortController();
  const events = client
    .watch(resource, { namespace, resourceVersion, signal: abort.signal, labelSelector })
    [Symbol.asyncIterator]();
  let lastVersion = resourceVersion;
  return {
    get lastVersion() {
      return lastVersion;
    },
    async next(): Promise<Shown> {
      for (;;) {
        const { value, done } = await events.next();
        if (done === true) throw new Error('the watch ended');
        if (value.type === 'BOOKMARK') continue;
        const { name, resourceVersion = '' } = metadataOf(value.object);
        if (name === 'kube-root-ca.crt') continue;
        lastVersion = resourceVersion;
        return [value.type, name];
      }
    },
    async [Symbol.asyncDispose]() {
      abort.abort(new Error('test over'));
      await events.next().catch(() => {});
    },
  };
}

async function rejects(promise: Promise<unknown>, status: number, reason: string): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.deepEqual([error.status, error.reason], [status, reason]);
    return true;
  });
}

function configMap(namespace: string, name: string, data: Readonly<Record<string, string>> = {}): ConfigMap {
  return { metadata: { namespace, name }, data };
}

function pod(namespace: string, name: string): Pod {
  return { metadata: { namespace, name }, spec: { containers: [{ name: 'main', image: 'busybox' }] } };
}

const version = (object: unknown): string => metadataOf(object).resourceVersion ?? '';
