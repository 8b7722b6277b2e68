import assert from 'node:assert/strict';
import test from 'node:test';
import { podOf } from '../testing/plan-context.ts';
import { podHosts } from './hosts.ts';

test('podHosts: as a kubelet writes it', () => {
  const pod = podOf({ hostAliases: [{ ip: '192.0.2.1', hostnames: ['foo', 'bar'] }] });
  const name = { hostname: 'web-1', fqdn: 'web-1.svc.shop.svc.cluster.local', kernelHostname: 'web-1' };
  assert.equal(
    podHosts(pod, name, ['10.244.1.7', 'fd00::7'], ''),
    `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
10.244.1.7\tweb-1.svc.shop.svc.cluster.local\tweb-1
fd00::7\tweb-1.svc.shop.svc.cluster.local\tweb-1

# Entries added by HostAliases.
192.0.2.1\tfoo\tbar
`,
  );
});

test('podHosts: hostNetwork Pods start from the node’s file', () => {
  const name = { hostname: 'node1', fqdn: '', kernelHostname: 'node1' };
  assert.equal(
    podHosts(podOf({ hostNetwork: true }), name, ['172.30.0.11'], '127.0.0.1 localhost\n'),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n',
  );
});
