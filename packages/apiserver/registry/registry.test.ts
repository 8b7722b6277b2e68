import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, type JsonObject } from '#kube-api';
import { inDefault, kindNamed, refusal, testRegistry, WRITER } from '../testing/registry.ts';
import { metaOf } from './metadata.ts';

const configMap = (name: string, data: JsonObject = {}) => ({ metadata: { name }, data });
const configMaps = kindNamed('configmaps');
const pods = kindNamed('pods');
const podSpec = { containers: [{ name: 'c', image: 'nginx' }] };

test('Registry.create: gives name, uid, time and version; refuses a second one', () => {
  using context = testRegistry();
  const { registry } = context;
  const { object } = registry.create(configMaps, 'default', { metadata: { generateName: 'a-' } }, WRITER);
  const meta = metaOf(object);
  assert.match(meta.name ?? '', /^a-[a-z0-9]{5}$/);
  assert.match(meta.uid ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(meta.creationTimestamp, '2026-01-02T03:04:05Z');
  registry.create(configMaps, 'default', configMap('x'), WRITER);
  const { code, reason, message } = refusal(() =>
    registry.create(configMaps, 'default', configMap('x'), WRITER),
  );
  assert.deepEqual([code, reason, message], [409, 'AlreadyExists', 'configmaps "x" already exists']);
});

test('Registry.create: needs the namespace, open', () => {
  using context = testRegistry();
  const { registry } = context;
  assert.equal(
    refusal(() => registry.create(configMaps, 'no', configMap('x'), WRITER)).message,
    'namespaces "no" not found',
  );
  registry.delete({ kind: kindNamed('namespaces'), namespace: undefined, name: 'default' });
  const status = refusal(() => registry.create(configMaps, 'default', configMap('x'), WRITER));
  assert.equal(status.code, 403);
  assert.equal(status.details?.causes?.[0]?.reason, 'NamespaceTerminating');
});

test('Registry.update: an old resourceVersion conflicts, a write without changes stores nothing', () => {
  using context = testRegistry();
  const { registry, store } = context;
  const { object } = registry.create(configMaps, 'default', configMap('x', { a: '1' }), WRITER);
  const target = inDefault('configmaps', 'x');
  registry.update(target, { ...object, data: { a: '2' } }, WRITER);
  const status = refusal(() => registry.update(target, { ...object, data: { a: '3' } }, WRITER));
  assert.equal(status.code, 409);
  assert.equal(
    status.message,
    'Operation cannot be fulfilled on configmaps "x": the object has been modified; please apply your changes to the latest version and try again',
  );
  const { version } = store;
  registry.update(target, registry.get(target), WRITER);
  assert.equal(store.version, version);
});

test('Registry.update: main writes keep the status, status writes keep the rest', () => {
  using context = testRegistry();
  const { registry } = context;
  const kind = kindNamed('deployments', 'apps');
  const labels = { app: 'web' };
  const deployment = {
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
    status: { replicas: 9 },
  };
  const { object } = registry.create(kind, 'default', deployment, WRITER);
  assert.deepEqual(object['status'], {});
  assert.equal(at(object, 'spec', 'replicas'), 1);
  const target = inDefault('deployments', 'web', 'apps');
  const withStatus = registry.update(
    target,
    { ...object, spec: { ...(object['spec'] as JsonObject), replicas: 5 }, status: { replicas: 1 } },
    { ...WRITER, subresource: 'status' },
  ).object;
  assert.equal(at(withStatus, 'spec', 'replicas'), 1);
  assert.equal(at(withStatus, 'status', 'replicas'), 1);
  assert.equal(metaOf(withStatus).generation, 1);
  const scaled = registry.patch(
    target,
    (current) => ({ ...current, spec: { ...(current['spec'] as JsonObject), replicas: 5 }, status: {} }),
    WRITER,
  ).object;
  assert.equal(at(scaled, 'status', 'replicas'), 1);
  assert.equal(metaOf(scaled).generation, 2);
});

test('Registry.delete: a Pod on a node waits for its kubelet, one without is gone at once', () => {
  using context = testRegistry();
  const { registry } = context;
  registry.create(pods, 'default', { metadata: { name: 'loose' }, spec: podSpec }, WRITER);
  assert.equal(registry.delete(inDefault('pods', 'loose')).gone, true);
  registry.create(
    pods,
    'default',
    { metadata: { name: 'bound' }, spec: { ...podSpec, nodeName: 'node1' } },
    WRITER,
  );
  const { object, gone } = registry.delete(inDefault('pods', 'bound'));
  assert.equal(gone, false);
  assert.equal(metaOf(object).deletionTimestamp, '2026-01-02T03:04:35Z');
  assert.equal(metaOf(object).deletionGracePeriodSeconds, 30);
  const shorter = registry.delete(inDefault('pods', 'bound'), { gracePeriodSeconds: 5 }).object;
  assert.equal(metaOf(shorter).deletionGracePeriodSeconds, 5);
  const longer = registry.delete(inDefault('pods', 'bound'), { gracePeriodSeconds: 60 }).object;
  assert.equal(metaOf(longer).deletionGracePeriodSeconds, 5);
  assert.equal(registry.delete(inDefault('pods', 'bound'), { gracePeriodSeconds: 0 }).gone, true);
});

test('Registry.delete: finalizers hold an object until the last is removed', () => {
  using context = testRegistry();
  const { registry } = context;
  const target = inDefault('configmaps', 'x');
  registry.create(
    configMaps,
    'default',
    { metadata: { name: 'x', finalizers: ['example.com/hold'] } },
    WRITER,
  );
  assert.equal(registry.delete(target).gone, false);
  const held = registry.get(target);
  assert.ok(metaOf(held).deletionTimestamp);
  registry.update(target, { ...held, metadata: { name: 'x' } }, WRITER);
  assert.equal(refusal(() => registry.get(target)).code, 404);
});

test('Registry.delete: preconditions that do not hold conflict', () => {
  using context = testRegistry();
  const { registry } = context;
  registry.create(configMaps, 'default', configMap('x'), WRITER);
  assert.equal(
    refusal(() => registry.delete(inDefault('configmaps', 'x'), { preconditions: { uid: 'other' } })).code,
    409,
  );
});

test('Registry: dryRun answers and stores nothing', () => {
  using context = testRegistry();
  const { registry, store } = context;
  const { version } = store;
  registry.create(configMaps, 'default', configMap('x'), { ...WRITER, dryRun: true });
  assert.equal(store.version, version);
});

test('Registry.list: pages are of one moment', () => {
  using context = testRegistry();
  const { registry } = context;
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    registry.create(configMaps, 'default', configMap(name), WRITER);
  const first = registry.list(configMaps, { limit: 2 });
  assert.equal(first.remaining, 3);
  registry.delete(inDefault('configmaps', 'd'));
  const second = registry.list(configMaps, { limit: 2, continue: first.continue });
  const third = registry.list(configMaps, { limit: 2, continue: second.continue });
  const names = [first, second, third].flatMap(({ items }) => items.map((item) => metaOf(item).name));
  assert.deepEqual(names, ['a', 'b', 'c', 'd', 'e']);
  assert.equal(third.continue, undefined);
  assert.equal(
    refusal(() => registry.list(configMaps, { continue: Buffer.from('999:2').toString('base64url') })).code,
    410,
  );
});

test('Registry.list: selects by label and field, and refuses fields that a kind does not offer', () => {
  using context = testRegistry();
  const { registry } = context;
  registry.create(
    pods,
    'default',
    { metadata: { name: 'a', labels: { app: 'x' } }, spec: { ...podSpec, nodeName: 'n1' } },
    WRITER,
  );
  registry.create(pods, 'default', { metadata: { name: 'b', labels: { app: 'y' } }, spec: podSpec }, WRITER);
  const names = (query: object) => registry.list(pods, query).items.map((item) => metaOf(item).name);
  assert.deepEqual(names({ labelSelector: 'app in (x)' }), ['a']);
  assert.deepEqual(names({ fieldSelector: 'spec.nodeName=n1' }), ['a']);
  assert.deepEqual(names({ fieldSelector: 'spec.nodeName=,status.phase=Pending' }), ['b']);
  assert.equal(
    refusal(() => names({ fieldSelector: 'spec.image=x' })).message,
    'field label not supported: spec.image',
  );
});

test('Registry.watch: an object that comes to match is ADDED, one that ceases to is DELETED', () => {
  using context = testRegistry();
  const { registry, store } = context;
  const seen: string[] = [];
  const target = inDefault('configmaps', 'x');
  const label = (value: string) =>
    registry.patch(
      target,
      (current) => ({
        ...current,
        metadata: { ...metaOf(current), labels: { v: value } } as unknown as JsonObject,
      }),
      WRITER,
    );
  registry.create(configMaps, 'default', configMap('x'), WRITER);
  using _watch = registry.watch(
    configMaps,
    { labelSelector: 'v=1', resourceVersion: String(store.version) },
    {
      item: ({ type, object }) => seen.push(`${type} ${metaOf(object).labels?.['v']}`),
      initialEnd: () => {},
    },
  );
  label('0');
  label('1');
  registry.patch(target, (current) => ({ ...current, data: { a: 'b' } }), WRITER);
  label('2');
  assert.deepEqual(seen, ['ADDED 1', 'MODIFIED 1', 'DELETED 2']);
});

test('Registry.watch: a version that is forgotten is 410', () => {
  using context = testRegistry();
  const { registry } = context;
  const sink = { item: () => {}, initialEnd: () => {} };
  registry.create(configMaps, 'default', configMap('x'), WRITER);
  for (let i = 0; i < 1500; i++)
    registry.patch(
      inDefault('configmaps', 'x'),
      (current) => ({ ...current, data: { i: String(i) } }),
      WRITER,
    );
  const status = refusal(() => registry.watch(configMaps, { resourceVersion: '2' }, sink));
  assert.deepEqual([status.code, status.reason], [410, 'Expired']);
});
