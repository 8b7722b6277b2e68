import assert from 'node:assert/strict';
import test from 'node:test';
import { podOf } from '../testing/plan-context.ts';
import { podHostname } from './hostname.ts';

for (const { name, spec, expected } of [
  { name: 'the Pod’s name', spec: {}, expected: ['web-1', '', 'web-1'] },
  {
    name: 'hostname and subdomain',
    spec: { hostname: 'a', subdomain: 'svc' },
    expected: ['a', 'a.svc.shop.svc.cluster.local', 'a'],
  },
  {
    name: 'setHostnameAsFQDN',
    spec: { subdomain: 'svc', setHostnameAsFQDN: true },
    expected: ['web-1', 'web-1.svc.shop.svc.cluster.local', 'web-1.svc.shop.svc.cluster.local'],
  },
  { name: 'hostNetwork', spec: { hostNetwork: true }, expected: ['node1', '', 'node1'] },
])
  test(`podHostname: ${name}`, () => {
    const { hostname, fqdn, kernelHostname } = podHostname(podOf(spec), 'node1', 'cluster.local');
    assert.deepEqual([hostname, fqdn, kernelHostname], expected);
  });

test('podHostname: a long name is cut to 63 characters that do not end in a dash', () => {
  const pod = { metadata: { name: `${'a'.repeat(62)}-bcd` } };
  assert.equal(podHostname(pod, 'node1', 'cluster.local').hostname, 'a'.repeat(62));
});
