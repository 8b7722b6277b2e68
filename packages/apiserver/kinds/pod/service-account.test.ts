import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, PodSpec } from '#kube-api';
import { kindNamed, refusal, testRegistry, WRITER } from '../../testing/registry.ts';

const PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const container = { name: 'c', image: 'nginx' };

function create(spec: PodSpec, account?: Record<string, unknown>) {
  using context = testRegistry();
  if (account !== undefined)
    context.registry.create(kindNamed('serviceaccounts'), 'default', account, WRITER);
  const body = { metadata: { name: 'p' }, spec };
  return context.registry.create(kindNamed('pods'), 'default', body, WRITER).object as unknown as Pod;
}

test('pod: is given a token, the authority and its namespace', () => {
  const { spec } = create({ containers: [container], initContainers: [{ ...container, name: 'i' }] });
  const [volume] = spec?.volumes ?? [];
  assert.match(volume?.name ?? '', /^kube-api-access-[a-z0-9]{5}$/);
  assert.deepEqual(
    volume?.projected?.sources?.map((source) => Object.keys(source)[0]),
    ['serviceAccountToken', 'configMap', 'downwardAPI'],
  );
  const mounts = [{ name: volume?.name, readOnly: true, mountPath: PATH }];
  assert.deepEqual(spec?.containers[0]?.volumeMounts, mounts);
  assert.deepEqual(spec?.initContainers?.[0]?.volumeMounts, mounts);
  assert.equal(spec?.serviceAccount, 'default');
});

test('pod: neither the Pod nor its account may want the token', () => {
  assert.equal(
    create({ containers: [container], automountServiceAccountToken: false }).spec?.volumes,
    undefined,
  );
  const account = { metadata: { name: 'quiet' }, automountServiceAccountToken: false };
  const spec = { containers: [container], serviceAccountName: 'quiet' };
  assert.equal(create(spec, account).spec?.volumes, undefined);
  const wanted = create({ ...spec, automountServiceAccountToken: true }, account);
  assert.equal(wanted.spec?.volumes?.length, 1);
});

test('pod: what a container mounts there itself stays', () => {
  const volumes = [{ name: 'own', emptyDir: {} }];
  const volumeMounts = [{ name: 'own', mountPath: PATH }];
  const { spec } = create({ containers: [{ ...container, volumeMounts }], volumes });
  assert.deepEqual(spec?.volumes, volumes);
  assert.deepEqual(spec?.containers[0]?.volumeMounts, volumeMounts);
});

test('pod: an account that is not there is refused', () => {
  const status = refusal(() => create({ containers: [container], serviceAccountName: 'nobody' }));
  assert.equal(status.code, 403);
  assert.match(
    status.message ?? '',
    /pods "p" is forbidden: error looking up service account default\/nobody: serviceaccount "nobody" not found/,
  );
});
