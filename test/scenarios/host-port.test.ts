import { suite, test } from 'node:test';
import { TestLab } from './support/lab.ts';
import { TestNamespace } from './support/test-namespace.ts';

const HOST_PORT = 54_323;
const HTTP_PORT = 8080;
const UDP_PORT = 8081;

/** A case of Kubernetes' network suite under its own name; docs/conformance.md lists all of them. */
suite('[sig-network] HostPort', () => {
  const lab = TestLab.ofSuite({ nodes: 1 });
  const ns = TestNamespace.ofSuite(lab, 'hostport');

  test('validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly] [Conformance]', async () => {
    const nodeIp = lab.up.nodes[0]?.ip ?? '';
    const start = (name: string, hostIP: string, protocol: 'TCP' | 'UDP') =>
      ns.netexec(name, name, {
        node: 'node1',
        http: HTTP_PORT,
        udp: UDP_PORT,
        container: {
          ports: [
            {
              hostPort: HOST_PORT,
              containerPort: protocol === 'TCP' ? HTTP_PORT : UDP_PORT,
              protocol,
              hostIP,
            },
          ],
        },
      });
    await Promise.all([
      start('pod1', '127.0.0.1', 'TCP'),
      start('pod2', nodeIp, 'TCP'),
      start('pod3', nodeIp, 'UDP'),
    ]);
    await ns.client('e2e-host-exec', { node: 'node1', spec: { hostNetwork: true } });
    await ns.servedBy('e2e-host-exec', `127.0.0.1:${HOST_PORT}`, ['pod1']);
    await ns.servedBy('e2e-host-exec', `${nodeIp}:${HOST_PORT}`, ['pod2']);
    await ns.servedByUdp('e2e-host-exec', `${nodeIp}:${HOST_PORT}`, ['pod3']);
  });
});
