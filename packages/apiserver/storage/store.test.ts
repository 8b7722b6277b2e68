import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { temporaryDirectory } from '../testing/registry.ts';
import { Database } from './database.ts';
import { Store, type StoreEvent } from './store.ts';

const named = (name: string) => ({ metadata: { name } });

test('Store: one version counter over all resources, written into the objects', () => {
  using database = new Database(':memory:');
  const store = new Store(database);
  const first = store.put('pods', 'a/x', named('x'));
  const second = store.put('nodes', 'n', named('n'));
  assert.equal(second.version, first.version + 1);
  assert.deepEqual(second.object['metadata'], { name: 'n', resourceVersion: String(second.version) });
  assert.equal(store.remove('pods', 'a/x')?.version, second.version + 1);
  assert.equal(store.version, second.version + 1);
});

test('Store: events since a version, and none once some are forgotten', () => {
  using database = new Database(':memory:');
  const store = new Store(database);
  const { version } = store.put('pods', 'a/x', named('x'));
  store.put('pods', 'a/y', named('y'));
  store.remove('pods', 'a/x');
  const types = (events: readonly StoreEvent[] | undefined) =>
    events?.map(({ type, entry }) => `${type} ${entry.key}`);
  assert.deepEqual(types(store.eventsSince('pods', version)), ['ADDED a/y', 'DELETED a/x']);
  assert.deepEqual(types(store.eventsSince('pods', store.version)), []);
  for (let i = 0; i < 2000; i++) store.put('pods', 'a/y', { ...named('y'), i });
  assert.equal(store.eventsSince('pods', version), undefined);
  assert.ok(store.eventsSince('pods', store.version - 500));
});

test('Store: what a list returned does not change afterwards', () => {
  using database = new Database(':memory:');
  const store = new Store(database);
  store.put('pods', 'a/x', named('x'));
  const listed = store.list('pods');
  store.put('pods', 'a/y', named('y'));
  assert.equal(listed.length, 1);
  assert.deepEqual(
    store.list('pods').map(({ key }) => key),
    ['a/x', 'a/y'],
  );
});

const WRITER = `
  const { Database } = await import(process.argv[1]);
  const { Store } = await import(process.argv[2]);
  const store = new Store(new Database(process.argv[3]));
  for (let i = 0; ; i++) {
    const { version } = store.put('pods', 'a/p' + (i % 50), { metadata: { name: 'p' }, i });
    if (i % 7 === 0) store.remove('pods', 'a/p' + (i % 50));
    process.stdout.write(store.version + '\\n');
    await new Promise((resolve) => setImmediate(resolve));
  }`;

test('Store: every acknowledged write survives kill -9, and versions go on from there', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'store.sqlite');
  const modules = ['database.ts', 'store.ts'].map((name) => join(import.meta.dirname, name));
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, ...modules, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (acknowledged >= 200) break;
  }
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  using database = new Database(path);
  const store = new Store(database);
  assert.ok(store.version >= acknowledged, `${store.version} < ${acknowledged}`);
  assert.ok(store.list('pods').every(({ version }) => version <= store.version));
  assert.ok(store.list('pods').length > 0);
  const before = store.version;
  assert.equal(store.put('pods', 'a/new', named('new')).version, before + 1);
  assert.equal(store.eventsSince('pods', before - 1), undefined, 'versions from before the restart are gone');
});

test('Store: a disk that takes no more is said so, and what was written before is there', () => {
  using directory = temporaryDirectory();
  const program = `
    import { Database } from '${join(import.meta.dirname, 'database.ts')}';
    import { Store } from '${join(import.meta.dirname, 'store.ts')}';
    using database = new Database('${join(directory.path, 'objects')}');
    const store = new Store(database);
    try {
      for (let i = 0; i < 1000; i++) store.put('pods', 'a/' + i, { metadata: {}, text: 'x'.repeat(4096) });
    } catch (error) {
      console.log(error.message + ', ' + (store.list('pods').length > 10));
    }`;
  // The size that a file may have stands for the disk's; the program is not killed for it, it gets the error.
  const { stdout, stderr } = spawnSync(
    'sh',
    [
      '-c',
      `trap '' XFSZ; ulimit -f 1000; exec "$0" --input-type=module --eval "$1"`,
      process.execPath,
      program,
    ],
    { encoding: 'utf8' },
  );
  assert.match(stdout, /^(database or disk is full|disk I\/O error), true\n$/, stderr);
});
