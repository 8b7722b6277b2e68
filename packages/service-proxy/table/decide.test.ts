import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp, parsePrefix } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';
import {
  balancedService,
  CLUSTER_IP,
  DNS_ADDRESS,
  EXTERNAL_ADDRESS,
  endpoint,
  FACTS,
  NODE_ADDRESS,
  NOT_READY,
  nodePortService,
  service,
  slice,
  TERMINATING,
} from '../behaviour/cluster.ts';
import type { NodeFacts } from './facts.ts';
import { buildTable, printTable } from './table.ts';

/** Services and slices, and the printed table. */
interface Case {
  readonly name: string;
  readonly services: readonly Service[];
  readonly slices?: readonly EndpointSlice[];
  readonly facts?: Partial<NodeFacts>;
  readonly table: readonly string[];
}

const V6 = 'fd00:96::64';
const dual: NodeFacts = {
  ...FACTS,
  addresses: [NODE_ADDRESS, parseIp('fd00:172::b')],
  nodePortAddresses: [NODE_ADDRESS, parseIp('fd00:172::b')],
  clusterCIDRs: [...FACTS.clusterCIDRs, parsePrefix('fd00:244::/48')],
};

const CASES: readonly Case[] = [
  {
    name: 'annotations for IPVS; a value that is none is a problem',
    services: [
      service(
        {},
        {
          metadata: {
            name: 'web',
            annotations: { 'podway.io/ipvs-scheduler': 'wlc', 'podway.io/ipvs-forwarding': 'far' },
          },
        },
      ),
    ],
    slices: [slice(['a'])],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> 10.244.1.10:8080*, masquerade outside-cluster',
      'default/web IPVS scheduler wlc',
      'default/web problem: annotation podway.io/ipvs-forwarding: "far" is not one of masquerade, direct',
    ],
  },
  {
    name: 'two families: each with the endpoints of its own slices',
    services: [nodePortService({ clusterIPs: [CLUSTER_IP, V6], ipFamilies: ['IPv4', 'IPv6'] })],
    slices: [
      slice(['b']),
      slice([{ addresses: ['fd00:244:1::10'], nodeName: 'node2' }], { name: 'web-6', addressType: 'IPv6' }),
    ],
    facts: dual,
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> 10.244.1.11:8080*, masquerade outside-cluster',
      'default/web NodePort 172.30.0.11:30080/TCP main -> 10.244.1.11:8080*, masquerade outside-node',
      'default/web ClusterIP [fd00:96::64]:80/TCP main -> [fd00:244:1::10]:8080, masquerade outside-cluster',
      'default/web NodePort [fd00:172::b]:30080/TCP main -> [fd00:244:1::10]:8080, masquerade outside-node',
    ],
  },
  {
    name: 'one family: the other is left out, whatever slices there are',
    services: [service({ clusterIP: V6, clusterIPs: [V6] })],
    slices: [slice(['b'])],
    facts: dual,
    table: [
      'default/web ClusterIP [fd00:96::64]:80/TCP main -> reject, masquerade outside-cluster, serving none',
    ],
  },
  {
    name: 'clusterIP alone, as before dual stack, and a port without a name',
    services: [
      {
        metadata: { namespace: 'default', name: 'web' },
        spec: { clusterIP: CLUSTER_IP, ports: [{ port: 80 }] },
      },
    ],
    slices: [slice(['b'], { ports: [{ port: 8080 }] })],
    table: ['default/web ClusterIP 10.96.0.100:80/TCP -> 10.244.1.11:8080*, masquerade outside-cluster'],
  },
  {
    name: 'an address that the node answers itself is not proxied, the Service’s other addresses are',
    services: [
      service({ clusterIP: DNS_ADDRESS, clusterIPs: [DNS_ADDRESS], externalIPs: [EXTERNAL_ADDRESS] }),
    ],
    slices: [slice(['b'])],
    table: ['default/web ExternalIP 203.0.113.5:80/TCP main -> 10.244.1.11:8080*, masquerade outside-node'],
  },
  {
    name: 'a Service that waits for its address has nothing yet',
    services: [service({ clusterIP: '', clusterIPs: [] })],
    table: [],
  },
  {
    name: 'affinity: the default timeout is three hours',
    services: [service({ sessionAffinity: 'ClientIP' })],
    slices: [slice(['b'])],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> 10.244.1.11:8080*, masquerade outside-cluster, affinity 10800s',
    ],
  },
  {
    name: 'affinity: its own timeout',
    services: [
      service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 7 } } }),
    ],
    slices: [slice(['b'])],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> 10.244.1.11:8080*, masquerade outside-cluster, affinity 7s',
    ],
  },
  {
    name: 'source ranges bind the load balancer’s address only; ranges inside others and spaces are of no consequence',
    services: [
      balancedService({ loadBalancerSourceRanges: [' 192.0.2.0/24', '192.0.2.7/32', '2001:db8::/32', 'x'] }),
    ],
    slices: [slice(['b'])],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> 10.244.1.11:8080*, masquerade outside-cluster',
      'default/web LoadBalancerIP 203.0.113.5:80/TCP main -> 10.244.1.11:8080*, masquerade outside-node, only from 192.0.2.0/24',
      'default/web NodePort 172.30.0.11:30080/TCP main -> 10.244.1.11:8080*, masquerade outside-node',
      'default/web problem: spec.loadBalancerSourceRanges: invalid IP prefix "x": the length is missing, as in 10.1.0.0/24',
    ],
  },
  {
    name: 'source ranges that let this node in let the load balancer’s own address in',
    services: [balancedService({ loadBalancerSourceRanges: ['172.30.0.0/16'] })],
    slices: [slice(['b'])],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> 10.244.1.11:8080*, masquerade outside-cluster',
      'default/web LoadBalancerIP 203.0.113.5:80/TCP main -> 10.244.1.11:8080*, masquerade outside-node, only from 172.30.0.0/16 203.0.113.5/32',
      'default/web NodePort 172.30.0.11:30080/TCP main -> 10.244.1.11:8080*, masquerade outside-node',
    ],
  },
  {
    name: 'health check node port: counts ready local endpoints, each address once',
    services: [
      balancedService({
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 32_000,
        ports: [
          { name: 'main', port: 80, protocol: 'TCP' },
          { name: 'side', port: 81, protocol: 'TCP' },
        ],
      }),
    ],
    slices: [
      slice(['a', endpoint('b', { conditions: TERMINATING }), 'c'], {
        ports: [
          { name: 'main', port: 8080, protocol: 'TCP' },
          { name: 'side', port: 8081, protocol: 'TCP' },
        ],
      }),
    ],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> 10.244.1.10:8080* 10.244.2.10:8080, masquerade outside-cluster, serving 10.244.1.10:8080* 10.244.1.11:8080* 10.244.2.10:8080',
      'default/web LoadBalancerIP 203.0.113.5:80/TCP main -> 10.244.1.10:8080* 10.244.2.10:8080, from outside -> 10.244.1.10:8080*, masquerade node-itself, serving 10.244.1.10:8080* 10.244.1.11:8080* 10.244.2.10:8080',
      'default/web ClusterIP 10.96.0.100:81/TCP side -> 10.244.1.10:8081* 10.244.2.10:8081, masquerade outside-cluster, serving 10.244.1.10:8081* 10.244.1.11:8081* 10.244.2.10:8081',
      'default/web LoadBalancerIP 203.0.113.5:81/TCP side -> 10.244.1.10:8081* 10.244.2.10:8081, from outside -> 10.244.1.10:8081*, masquerade node-itself, serving 10.244.1.10:8081* 10.244.1.11:8081* 10.244.2.10:8081',
      'default/web health check on port 32000: 1 local endpoints',
    ],
  },
  {
    name: 'policy Local without a local endpoint drops, without any rejects',
    services: [nodePortService({ externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' })],
    slices: [slice(['c'])],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> drop, masquerade outside-cluster, serving 10.244.2.10:8080',
      'default/web NodePort 172.30.0.11:30080/TCP main -> 10.244.2.10:8080, from outside -> drop, masquerade node-itself',
    ],
  },
  {
    name: 'endpoints: the address family, the protocol and the name of the port must fit',
    services: [service()],
    slices: [
      slice(['a'], { name: 'w1', ports: [{ name: 'main', port: 1, protocol: 'UDP' }] }),
      slice(['a'], { name: 'w2', ports: [{ name: 'other', port: 2, protocol: 'TCP' }] }),
      slice(['a'], { name: 'w3', addressType: 'FQDN' }),
      slice(['a'], { name: 'w4', ports: [{ name: 'main', protocol: 'TCP' }] }),
      slice(
        [{ addresses: ['fd00::1'] }, { addresses: ['nonsense'] }, endpoint('b', { conditions: NOT_READY })],
        { name: 'w5' },
      ),
    ],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> reject, masquerade outside-cluster, serving none',
      'default/web problem: endpoint address fd00::1 is not IPv4',
      'default/web problem: endpoint address: invalid IP address "nonsense": an IPv4 address has four decimal numbers',
    ],
  },
  {
    name: 'slices of headless Services are not endpoints of anything',
    services: [service()],
    slices: [
      slice(['b'], {
        metadata: {
          namespace: 'default',
          name: 'web-1',
          labels: { 'kubernetes.io/service-name': 'web', 'service.kubernetes.io/headless': '' },
        },
      }),
      slice(['b'], {
        metadata: { namespace: 'other', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      }),
    ],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> reject, masquerade outside-cluster, serving none',
    ],
  },
  {
    name: 'an unknown protocol is a problem of that port only',
    services: [
      service({
        ports: [
          { name: 'x', port: 1, protocol: 'QUIC' },
          { name: 'main', port: 80 },
        ],
      }),
    ],
    slices: [slice(['b'])],
    table: [
      'default/web ClusterIP 10.96.0.100:80/TCP main -> 10.244.1.11:8080*, masquerade outside-cluster',
      'default/web problem: spec.ports: protocol "QUIC" is not known',
    ],
  },
];

describe('decideService', () => {
  for (const { name, services, slices = [], facts, table } of CASES)
    test(name, () => {
      const printed = printTable(buildTable(services, slices, { ...FACTS, ...facts }));
      assert.deepEqual(printed.split('\n').slice(0, -1), table);
    });
});
