import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_MAPS, type ConfigMap, type Resource } from '#kube-api';
import { FakeClock, seededRandom } from '#runtime';
import { ApiError, ApiUnreachableError } from './errors.ts';
import { FakeKubeClient } from './fake/fake-client.ts';
import { createInformer, type InformerOptions } from './informer.ts';
import type { KubeClient, ListOptions, WatchEvent, WatchOptions } from './ports.ts';

/** Lets everything that is ready happen. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Counts the lists and keeps the versions that watches began from. */
class CountingClient extends FakeKubeClient {
  lists = 0;
  readonly watchedFrom: string[] = [];
  override list<T>(resource: Resource<T>, options?: ListOptions) {
    this.lists++;
    return super.list(resource, options);
  }
  override watch<T>(resource: Resource<T>, options: WatchOptions) {
    this.watchedFrom.push(options.resourceVersion);
    return super.watch(resource, options);
  }
}

const configMap = (name: string, data: Readonly<Record<string, string>> = {}): ConfigMap => ({
  metadata: { namespace: 'default', name },
  data,
});

function follow(client: KubeClient, options: InformerOptions<ConfigMap> = {}) {
  const clock = new FakeClock();
  const informer = createInformer(client, CONFIG_MAPS, options, {
    clock,
    random: seededRandom(1),
    retryMs: { first: 100, max: 1000 },
  });
  const changes: string[] = [];
  informer.onChange((current, old) => {
    const what = current === undefined ? '-' : old === undefined ? '+' : '~';
    changes.push(`${what}${(current ?? old)?.metadata?.name}`);
  });
  return {
    clock,
    informer,
    changes,
    async [Symbol.asyncDispose]() {
      await informer[Symbol.asyncDispose]();
    },
  };
}

const names = (items: readonly ConfigMap[]) => items.map((item) => item.metadata?.name).sort();

test('createInformer: lists, then follows', async () => {
  const client = new FakeKubeClient();
  await client.create(CONFIG_MAPS, configMap('a'));
  await using followed = follow(client);
  assert.equal(followed.informer.hasSynced, false);
  await followed.informer.synced;
  assert.equal(followed.informer.hasSynced, true);
  await client.create(CONFIG_MAPS, configMap('b'));
  await client.patch(CONFIG_MAPS, { namespace: 'default', name: 'a' }, 'merge', { data: { x: 'y' } });
  await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'b' });
  await settle();
  assert.deepEqual(followed.changes, ['+a', '+b', '~a', '-b']);
  assert.equal(followed.informer.get('default/a')?.data?.['x'], 'y');
  assert.equal(followed.informer.get('default/b'), undefined);
});

test('createInformer: resumes after a cut where it was, bookmarks counted, without a new list', async () => {
  const client = new CountingClient();
  await using followed = follow(client);
  await followed.informer.synced;
  await settle();
  await client.create(CONFIG_MAPS, configMap('a'));
  await settle();
  await client.create(CONFIG_MAPS, { metadata: { namespace: 'default', name: 'b' } });
  client.bookmark();
  await settle();
  client.cutWatches(new ApiUnreachableError('cut'));
  await client.create(CONFIG_MAPS, configMap('c'));
  await settle();
  assert.deepEqual(names(followed.informer.list()), ['a', 'b'], 'it waits before it comes back');
  followed.clock.advance(1000);
  await settle();
  assert.deepEqual(names(followed.informer.list()), ['a', 'b', 'c']);
  assert.equal(client.lists, 1);
  assert.deepEqual(followed.changes, ['+a', '+b', '+c']);
  assert.deepEqual(client.watchedFrom, ['102', '104']);
});

test('createInformer: a watch that the server ends in good order is resumed at once', async () => {
  const client = new CountingClient();
  await using followed = follow(client);
  await followed.informer.synced;
  await settle();
  await client.create(CONFIG_MAPS, configMap('a'));
  await settle();
  client.cutWatches();
  await settle();
  await client.create(CONFIG_MAPS, configMap('b'));
  await settle();
  assert.deepEqual(followed.changes, ['+a', '+b']);
});

test('createInformer: while the server is away the last state stays', async () => {
  const client = new FakeKubeClient();
  await client.create(CONFIG_MAPS, configMap('a'));
  await using followed = follow(client);
  await followed.informer.synced;
  await settle();
  client.setAway(true);
  for (let i = 0; i < 5; i++) {
    followed.clock.advance(1000);
    await settle();
  }
  assert.deepEqual(names(followed.informer.list()), ['a']);
  client.setAway(false);
  followed.clock.advance(1000);
  await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'a' });
  await settle();
  assert.deepEqual(followed.changes, ['+a', '-a']);
});

test('createInformer: synced waits for a server that comes late', async () => {
  const client = new FakeKubeClient();
  client.setAway(true);
  await using followed = follow(client);
  await settle();
  assert.equal(followed.informer.hasSynced, false);
  client.setAway(false);
  followed.clock.advance(1000);
  await followed.informer.synced;
});

test('createInformer: a long list is told of between other work, and has synced when all of it is known', async () => {
  const client = new FakeKubeClient();
  for (let i = 0; i < 1_000; i++) await client.create(CONFIG_MAPS, configMap(`map${i}`));
  await using followed = follow(client);
  let between = 0;
  const count = () => {
    const known = followed.changes.length;
    if (known > 0 && known < 1_000) between++;
    if (!followed.informer.hasSynced) setImmediate(count);
  };
  count();
  await followed.informer.synced;
  assert.equal(followed.changes.length, 1_000);
  assert.ok(between > 0);
});

test('createInformer: disposed of in the middle of a long list it tells of nothing more', async () => {
  const client = new FakeKubeClient();
  for (let i = 0; i < 1_000; i++) await client.create(CONFIG_MAPS, configMap(`map${i}`));
  const { informer, changes } = follow(client);
  while (changes.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const known = changes.length;
  assert.ok(known < 1_000);
  await informer[Symbol.asyncDispose]();
  assert.equal(informer.list().length, known);
  assert.equal(informer.hasSynced, false);
});

test('createInformer: lists again when its version is forgotten, and tells only the differences', async () => {
  const client = new CountingClient();
  for (const name of ['a', 'b', 'c']) await client.create(CONFIG_MAPS, configMap(name));
  await using followed = follow(client);
  await followed.informer.synced;
  await settle();
  client.setAway(true);
  await settle();
  client.setAway(false);
  await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'a' });
  await client.patch(CONFIG_MAPS, { namespace: 'default', name: 'b' }, 'merge', { data: { x: 'y' } });
  await client.create(CONFIG_MAPS, configMap('d'));
  client.compact();
  for (let i = 0; i < 3; i++) {
    followed.clock.advance(1000);
    await settle();
  }
  assert.equal(client.lists, 2);
  assert.deepEqual(followed.changes.slice(3), ['~b', '+d', '-a']);
});

test('createInformer: an object deleted and made anew between lists is seen as changed', async () => {
  const client = new FakeKubeClient();
  const old = await client.create(CONFIG_MAPS, configMap('a'));
  await using followed = follow(client);
  await followed.informer.synced;
  await settle();
  client.setAway(true);
  client.setAway(false);
  await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'a' });
  await client.create(CONFIG_MAPS, configMap('a'));
  client.compact();
  for (let i = 0; i < 3; i++) {
    followed.clock.advance(1000);
    await settle();
  }
  assert.notEqual(followed.informer.get('default/a')?.metadata?.uid, old.metadata?.uid);
});

/** A server that tells whatever the test says, in whatever order. */
function scripted(events: readonly WatchEvent<ConfigMap>[]): KubeClient {
  const fake = new FakeKubeClient();
  const client = Object.create(fake) as FakeKubeClient;
  client.list = async () => ({ items: [], resourceVersion: '100' });
  client.watch = async function* <T>(_resource: unknown, { signal }: ListOptions & WatchOptions) {
    yield* events as unknown as readonly WatchEvent<T>[];
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };
  return client;
}

const versioned = (resourceVersion: string, value: string): ConfigMap => ({
  metadata: { namespace: 'default', name: 'a', uid: 'u', resourceVersion },
  data: { value },
});

test('createInformer: never shows an older object after a newer one', async () => {
  const client = scripted([
    { type: 'ADDED', object: versioned('110', 'new') },
    { type: 'MODIFIED', object: versioned('99', 'old') },
    { type: 'DELETED', object: versioned('109', 'older deletion') },
  ]);
  await using followed = follow(client);
  await settle();
  assert.equal(followed.informer.get('default/a')?.data?.['value'], 'new');
  assert.deepEqual(followed.changes, ['+a']);
});

test('createInformer: a late event does not bring a deleted object back', async () => {
  const client = scripted([
    { type: 'ADDED', object: versioned('110', 'x') },
    { type: 'DELETED', object: versioned('120', 'x') },
    { type: 'MODIFIED', object: versioned('115', 'x') },
  ]);
  await using followed = follow(client);
  await settle();
  assert.deepEqual(followed.informer.list(), []);
});

test('createInformer: transform drops fields before they are stored', async () => {
  const client = new FakeKubeClient();
  await client.create(CONFIG_MAPS, configMap('a', { large: 'text' }));
  await using followed = follow(client, { transform: ({ data: _, ...rest }) => rest });
  await followed.informer.synced;
  const stored = followed.informer.get('default/a');
  assert.equal(stored?.data, undefined);
  assert.equal(stored?.metadata?.name, 'a');
});

test('createInformer: indexes follow changes', async () => {
  const client = new FakeKubeClient();
  await using informer = createInformer(client, CONFIG_MAPS, {
    indexers: { tier: (object) => Object.values(object.data ?? {}) },
  });
  await informer.synced;
  await client.create(CONFIG_MAPS, configMap('a', { tier: 'front' }));
  await client.create(CONFIG_MAPS, configMap('b', { tier: 'front' }));
  await settle();
  assert.deepEqual(names(informer.byIndex('tier', 'front')), ['a', 'b']);
  await client.patch(CONFIG_MAPS, { namespace: 'default', name: 'a' }, 'merge', { data: { tier: 'back' } });
  await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'b' });
  await settle();
  assert.deepEqual(informer.byIndex('tier', 'front'), []);
  assert.deepEqual(names(informer.byIndex('tier', 'back')), ['a']);
});

test('createInformer: a listener that throws does not stop the others, nor the informer', async () => {
  const client = new FakeKubeClient();
  await using followed = follow(client);
  followed.informer.onChange(() => {
    throw new Error('listener');
  });
  const late: string[] = [];
  followed.informer.onChange((current) => late.push(current?.metadata?.name ?? ''));
  await followed.informer.synced;
  await settle();
  await client.create(CONFIG_MAPS, configMap('a'));
  await client.create(CONFIG_MAPS, configMap('b'));
  await settle();
  assert.deepEqual(late, ['a', 'b']);
});

test('createInformer: a listener that is disposed of hears nothing more', async () => {
  const client = new FakeKubeClient();
  await using followed = follow(client);
  await followed.informer.synced;
  let heard = 0;
  const listening = followed.informer.onChange(() => heard++);
  listening[Symbol.dispose]();
  await client.create(CONFIG_MAPS, configMap('a'));
  await settle();
  assert.equal(heard, 0);
});

test('createInformer: a refusal is tried again with growing delays', async () => {
  const client = new FakeKubeClient();
  const asked: number[] = [];
  const clock = new FakeClock();
  client.list = async () => {
    asked.push(clock.now());
    throw new ApiError(403);
  };
  await using _ = createInformer(
    client,
    CONFIG_MAPS,
    {},
    {
      clock,
      random: { next: () => 1, bytes: () => new Uint8Array() },
      retryMs: { first: 100, max: 400 },
    },
  );
  for (let i = 0; i < 150; i++) {
    await settle();
    clock.advance(10);
  }
  assert.deepEqual(asked, [0, 100, 300, 700, 1100]);
});

test('createInformer: what was learnt from a write shows at once, and is told once', async () => {
  const client = new FakeKubeClient();
  await using followed = follow(client);
  await followed.informer.synced;
  await settle();
  const made = await client.create(CONFIG_MAPS, configMap('a'));
  followed.informer.learn(made);
  assert.equal(followed.informer.get('default/a'), made);
  await settle();
  assert.deepEqual(followed.changes, ['+a']);
  await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'a' });
  await settle();
  followed.informer.learn(made);
  assert.equal(followed.informer.get('default/a'), undefined, 'a late answer does not bring it back');
});
