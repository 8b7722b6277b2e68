import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, type JsonObject } from '#kube-api';
import { metaOf } from '../registry/metadata.ts';
import { inDefault, refusal, testRegistry } from '../testing/registry.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const target = inDefault('services', 's');
const apply = (context: ReturnType<typeof testRegistry>, manager: string, spec: JsonObject, force = false) =>
  context.registry.apply(target, { metadata: { name: 's' }, spec }, { manager, force }).object;

const http = { name: 'http', port: 80, protocol: 'TCP' };
const dns = { name: 'dns', port: 53, protocol: 'UDP' };
const ports = (object: JsonObject) =>
  (at(object, 'spec', 'ports') as readonly { readonly name: string }[]).map(({ name }) => name);

test('applyConfiguration: creates, and what a manager no longer names goes', () => {
  using context = testRegistry();
  assert.deepEqual(ports(apply(context, 'a', { ports: [http, dns], sessionAffinity: 'ClientIP' })), [
    'http',
    'dns',
  ]);
  const second = apply(context, 'a', { ports: [http] });
  assert.deepEqual(ports(second), ['http']);
  assert.equal(at(second, 'spec', 'sessionAffinity'), 'None', 'a default again');
});

test('applyConfiguration: managers share a list by its keys, and leave each other their items', () => {
  using context = testRegistry();
  apply(context, 'a', { ports: [http] });
  assert.deepEqual(ports(apply(context, 'b', { ports: [dns] })), ['http', 'dns']);
  assert.deepEqual(ports(apply(context, 'a', { ports: [http], selector: { x: 'y' } })), ['http', 'dns']);
});

test('applyConfiguration: another value of another manager conflicts, unless forced', () => {
  using context = testRegistry();
  apply(context, 'a', { ports: [{ ...http, targetPort: 8080 }] });
  const other = { ports: [{ ...http, targetPort: 9090 }] };
  const status = refusal(() => apply(context, 'b', other));
  assert.equal(status.code, 409);
  assert.deepEqual(status.details?.causes, [
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "a" using v1',
      field: '.spec.ports[port=80,protocol="TCP"].targetPort',
    },
  ]);
  const forced = apply(context, 'b', other, true);
  assert.equal(at((at(forced, 'spec', 'ports') as readonly JsonObject[])[0], 'targetPort'), 9090);
  assert.equal(
    refusal(() => apply(context, 'a', { ports: [{ ...http, targetPort: 8080 }] })).code,
    409,
    'b owns it now',
  );
});

test('applyConfiguration: an ordinary update takes fields over', () => {
  using context = testRegistry();
  apply(context, 'a', { ports: [http], selector: { x: '1' } });
  context.registry.patch(
    target,
    (current) =>
      applyStrategicMergePatch(current, { spec: { selector: { x: '2' } } }, target.kind.definition),
    { manager: 'kubectl-edit' },
  );
  const status = refusal(() => apply(context, 'a', { ports: [http], selector: { x: '1' } }));
  assert.match(status.message ?? '', /conflict with "kubectl-edit" using v1: \.spec\.selector/);
});

test('applyConfiguration: the same again changes nothing', () => {
  using context = testRegistry();
  const first = apply(context, 'a', { ports: [http] });
  context.clock.advance(60_000);
  assert.equal(metaOf(apply(context, 'a', { ports: [http] })).resourceVersion, metaOf(first).resourceVersion);
});
