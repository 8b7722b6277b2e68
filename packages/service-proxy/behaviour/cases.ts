import { parseIp, parsePrefix } from '#ip';
import {
  AT_BALANCER,
  AT_CLUSTER_IP,
  AT_NODE_PORT,
  type BehaviourCase,
  client,
  place,
  sctp,
  udp,
} from './case.ts';
import {
  balancedService,
  CLUSTER_IP,
  EXTERNAL_ADDRESS,
  endpoint,
  hostEndpoint,
  NODE_PORT,
  NOT_READY,
  nodePortService,
  OTHER_CLUSTER_IP,
  OUTSIDE_ADDRESS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
  TERMINATING,
} from './cluster.ts';

const fromPod = client('a');
const fromOtherPod = client('c');
const fromNode = client('node');
const fromOutside = client('outside');

const UDP_PORT = { name: 'main', port: SERVICE_PORT, protocol: 'UDP' };
const UDP_TARGET = { name: 'main', port: TARGET_PORT, protocol: 'UDP' };

/** What every backend must do, one case for each field of the API that matters to traffic. */
export const CASES: readonly BehaviourCase[] = [
  {
    name: 'clusterIP: a Pod reaches every endpoint with its own address, the node and outside clients as the node',
    states: [
      {
        services: [service()],
        slices: [slice(['b', 'c'])],
        expect: [
          fromPod.to(AT_CLUSTER_IP).reaches('b c'),
          fromNode.to(AT_CLUSTER_IP).reaches('b c'),
          fromOutside.to(AT_CLUSTER_IP).reachesAsNode('b c'),
        ],
      },
    ],
  },
  {
    name: 'clusterIP: a Pod that reaches itself sees the node as the client',
    states: [
      {
        services: [service()],
        slices: [slice(['a'])],
        expect: [fromPod.to(AT_CLUSTER_IP).reachesAsNode('a')],
      },
    ],
  },
  {
    name: 'clusterIP: UDP',
    states: [
      {
        services: [service({ ports: [UDP_PORT] })],
        slices: [slice(['b', 'd'], { ports: [UDP_TARGET] })],
        expect: [fromPod.to(udp(AT_CLUSTER_IP)).reaches('b d'), fromPod.to(AT_CLUSTER_IP).isRefused()],
      },
    ],
  },
  {
    name: 'clusterIP: SCTP',
    states: [
      {
        services: [service({ ports: [{ ...UDP_PORT, protocol: 'SCTP' }] })],
        slices: [slice(['b', 'd'], { ports: [{ ...UDP_TARGET, protocol: 'SCTP' }] })],
        expect: [fromPod.to(sctp(AT_CLUSTER_IP)).reaches('b d')],
      },
    ],
  },
  {
    name: 'ports: the same number on two protocols leads to different endpoints',
    states: [
      {
        services: [
          service({
            ports: [
              { ...UDP_PORT, name: 'u' },
              { name: 't', port: SERVICE_PORT, protocol: 'TCP' },
            ],
          }),
        ],
        slices: [
          slice(['b'], { ports: [{ name: 't', port: TARGET_PORT, protocol: 'TCP' }] }),
          slice(['c'], { name: 'web-2', ports: [{ name: 'u', port: TARGET_PORT, protocol: 'UDP' }] }),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b'), fromPod.to(udp(AT_CLUSTER_IP)).reaches('c')],
      },
    ],
  },
  {
    name: 'ports: several, by name, with another number in each slice',
    states: [
      {
        services: [
          service({
            ports: [
              { name: 'main', port: SERVICE_PORT, protocol: 'TCP' },
              { name: 'side', port: 81, protocol: 'TCP' },
            ],
          }),
        ],
        slices: [
          slice(['b'], {
            ports: [
              { name: 'main', port: TARGET_PORT, protocol: 'TCP' },
              { name: 'side', port: TARGET_PORT + 1, protocol: 'TCP' },
            ],
          }),
          slice(['c'], { name: 'web-2', ports: [{ name: 'main', port: TARGET_PORT + 1, protocol: 'TCP' }] }),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b c'), fromPod.to(place(CLUSTER_IP, 81)).reaches('b')],
      },
    ],
  },
  {
    name: 'clusterIP: a closed port is refused, an address of the range without a Service is unreachable',
    states: [
      {
        services: [service()],
        slices: [slice(['b'])],
        expect: [
          fromPod.to(place(CLUSTER_IP, 9)).isRefused(),
          fromNode.to(place(CLUSTER_IP, 9)).isRefused(),
          fromPod.to(place(parseIp('10.96.7.7'), 80)).isUnreachable(),
        ],
      },
    ],
  },
  {
    name: 'no endpoints: refused at once, TCP and UDP, by every way in',
    states: [
      {
        services: [
          service({
            type: 'NodePort',
            externalIPs: [EXTERNAL_ADDRESS],
            ports: [
              { name: 'main', port: SERVICE_PORT, protocol: 'TCP', nodePort: NODE_PORT },
              { ...UDP_PORT, name: 'u', nodePort: NODE_PORT },
            ],
          }),
        ],
        slices: [],
        expect: [
          fromPod.to(AT_CLUSTER_IP).isRefused(),
          fromPod.to(udp(AT_CLUSTER_IP)).isRefused(),
          fromNode.to(AT_CLUSTER_IP).isRefused(),
          fromOutside.to(AT_NODE_PORT).isRefused(),
          fromOutside.to(udp(AT_NODE_PORT)).isRefused(),
          fromOutside.to(AT_BALANCER).isRefused(),
        ],
      },
    ],
  },
  {
    name: 'endpoints come, change and go',
    states: [
      {
        when: 'none yet',
        services: [service()],
        slices: [slice([])],
        expect: [fromPod.to(AT_CLUSTER_IP).isRefused()],
      },
      {
        when: 'one',
        services: [service()],
        slices: [slice(['b'])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b')],
      },
      {
        when: 'three',
        services: [service()],
        slices: [slice(['b', 'c', 'd'])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b c d')],
      },
      {
        when: 'two others',
        services: [service()],
        slices: [slice(['d', 'a'])],
        expect: [fromNode.to(AT_CLUSTER_IP).reaches('a d'), client('b').to(AT_CLUSTER_IP).reaches('a d')],
      },
      {
        when: 'none again',
        services: [service()],
        slices: [],
        expect: [fromPod.to(AT_CLUSTER_IP).isRefused()],
      },
      {
        when: 'the Service is deleted',
        services: [],
        slices: [],
        expect: [fromPod.to(AT_CLUSTER_IP).isUnreachable()],
      },
    ],
  },
  {
    name: 'NodePort: from outside as the node, from this node’s Pods with their own address',
    states: [
      {
        services: [nodePortService()],
        slices: [slice(['b', 'c'])],
        expect: [
          fromOutside.to(AT_NODE_PORT).reachesAsNode('b c'),
          fromOtherPod.to(AT_NODE_PORT).reachesAsNode('b c'),
          fromPod.to(AT_NODE_PORT).reaches('b c'),
          fromNode.to(AT_NODE_PORT).reaches('b c'),
        ],
      },
    ],
  },
  {
    name: 'NodePort: TCP and UDP on one number',
    states: [
      {
        services: [
          service({
            type: 'NodePort',
            ports: [
              { name: 'main', port: SERVICE_PORT, protocol: 'TCP', nodePort: NODE_PORT },
              { ...UDP_PORT, name: 'u', nodePort: NODE_PORT },
            ],
          }),
        ],
        slices: [slice(['b']), slice(['c'], { name: 'web-2', ports: [{ ...UDP_TARGET, name: 'u' }] })],
        expect: [
          fromOutside.to(AT_NODE_PORT).reachesAsNode('b'),
          fromOutside.to(udp(AT_NODE_PORT)).reachesAsNode('c'),
        ],
      },
    ],
  },
  {
    name: 'NodePort: changes number and type',
    states: [
      {
        services: [nodePortService()],
        slices: [slice(['b'])],
        expect: [fromOutside.to(AT_NODE_PORT).reachesAsNode('b')],
      },
      {
        when: 'another number',
        services: [
          nodePortService({
            ports: [{ name: 'main', port: SERVICE_PORT, protocol: 'TCP', nodePort: NODE_PORT + 1 }],
          }),
        ],
        slices: [slice(['b'])],
        expect: [
          fromOutside.to(AT_NODE_PORT).isRefused(),
          fromOutside.to(place(AT_NODE_PORT.address, NODE_PORT + 1)).reachesAsNode('b'),
        ],
      },
      {
        when: 'ClusterIP only',
        services: [service()],
        slices: [slice(['b'])],
        expect: [
          fromOutside.to(place(AT_NODE_PORT.address, NODE_PORT + 1)).isRefused(),
          fromPod.to(AT_CLUSTER_IP).reaches('b'),
        ],
      },
    ],
  },
  {
    name: 'nodePortAddresses: other addresses of the node do not answer',
    states: [
      {
        services: [nodePortService()],
        slices: [slice(['b'])],
        facts: { nodePortAddresses: [] },
        expect: [fromOutside.to(AT_NODE_PORT).isRefused()],
      },
    ],
  },
  {
    name: 'host network: endpoints with the nodes’ own addresses, from everywhere, from their own node too',
    states: [
      {
        when: 'on both nodes',
        services: [nodePortService()],
        slices: [slice([hostEndpoint('here'), hostEndpoint('there')])],
        expect: [
          fromPod.to(AT_CLUSTER_IP).reaches('here there'),
          fromNode.to(AT_CLUSTER_IP).reaches('here there'),
          fromNode.to(AT_NODE_PORT).reaches('here there'),
        ],
      },
      {
        when: 'on this one, whose processes see outside clients’ own addresses',
        services: [nodePortService()],
        slices: [slice([hostEndpoint('here')])],
        expect: [
          fromOutside.to(AT_CLUSTER_IP).reaches('here'),
          fromOutside.to(AT_NODE_PORT).reaches('here'),
          fromOtherPod.to(AT_NODE_PORT).reaches('here'),
        ],
      },
      {
        when: 'on the other one',
        services: [nodePortService()],
        slices: [slice([hostEndpoint('there')])],
        expect: [
          fromOutside.to(AT_NODE_PORT).reachesAsNode('there'),
          fromPod.to(AT_NODE_PORT).reaches('there'),
        ],
      },
    ],
  },
  {
    name: 'externalIPs: answered where the network brings them',
    states: [
      {
        services: [service({ externalIPs: [EXTERNAL_ADDRESS] })],
        slices: [slice(['b', 'd'])],
        expect: [fromOutside.to(AT_BALANCER).reachesAsNode('b d'), fromPod.to(AT_BALANCER).reaches('b d')],
      },
    ],
  },
  {
    name: 'load balancer address: ipMode VIP is answered here, Proxy is not',
    states: [
      {
        services: [balancedService()],
        slices: [slice(['b', 'd'])],
        expect: [
          fromOutside.to(AT_BALANCER).reachesAsNode('b d'),
          fromPod.to(AT_BALANCER).reaches('b d'),
          fromNode.to(AT_BALANCER).reaches('b d'),
        ],
      },
      {
        when: 'Proxy',
        services: [balancedService({}, 'Proxy')],
        slices: [slice(['b', 'd'])],
        expect: [
          fromOutside.to(AT_NODE_PORT).reachesAsNode('b d'),
          fromOutside.to(AT_BALANCER).ends('untouched'),
        ],
      },
    ],
  },
  {
    name: 'loadBalancerSourceRanges: others hear nothing; node port and cluster IP are open',
    states: [
      {
        services: [balancedService({ loadBalancerSourceRanges: [`${OUTSIDE_ADDRESS}/32`, '192.0.2.0/24'] })],
        slices: [slice(['b'])],
        expect: [
          fromOutside.to(AT_BALANCER).reachesAsNode('b'),
          fromPod.to(AT_BALANCER).hearsNothing(),
          fromPod.to(AT_CLUSTER_IP).reaches('b'),
          fromOutside.to(AT_NODE_PORT).reachesAsNode('b'),
        ],
      },
      {
        when: 'changed',
        services: [balancedService({ loadBalancerSourceRanges: ['10.244.0.0/16'] })],
        slices: [slice(['b'])],
        expect: [fromOutside.to(AT_BALANCER).hearsNothing(), fromPod.to(AT_BALANCER).reaches('b')],
      },
      {
        when: 'removed',
        services: [balancedService()],
        slices: [slice(['b'])],
        expect: [fromOutside.to(AT_BALANCER).reachesAsNode('b')],
      },
    ],
  },
  {
    name: 'externalTrafficPolicy Local: outside clients reach local endpoints and keep their address; the node and its Pods reach all',
    states: [
      {
        services: [balancedService({ externalTrafficPolicy: 'Local' })],
        slices: [slice(['a', 'b', 'c'])],
        expect: [
          fromOutside.to(AT_NODE_PORT).reaches('a b'),
          fromOutside.to(AT_BALANCER).reaches('a b'),
          fromOtherPod.to(AT_NODE_PORT).reaches('a b'),
          fromNode.to(AT_NODE_PORT).reaches('a b c'),
          client('b').to(AT_BALANCER).ends('a kept', 'b replaced', 'c kept'),
          client('b').to(AT_CLUSTER_IP).ends('a kept', 'b replaced', 'c kept'),
        ],
      },
      {
        when: 'no local endpoint: silence, so that the client tries another node',
        services: [balancedService({ externalTrafficPolicy: 'Local' })],
        slices: [slice(['c'])],
        expect: [
          fromOutside.to(AT_NODE_PORT).hearsNothing(),
          fromOutside.to(AT_BALANCER).hearsNothing(),
          fromPod.to(AT_BALANCER).reaches('c'),
          fromNode.to(AT_NODE_PORT).reaches('c'),
        ],
      },
      {
        when: 'no endpoint at all',
        services: [balancedService({ externalTrafficPolicy: 'Local' })],
        slices: [],
        expect: [fromOutside.to(AT_NODE_PORT).isRefused(), fromPod.to(AT_BALANCER).isRefused()],
      },
      {
        when: 'Cluster again',
        services: [balancedService()],
        slices: [slice(['c'])],
        expect: [fromOutside.to(AT_NODE_PORT).reachesAsNode('c')],
      },
    ],
  },
  {
    name: 'internalTrafficPolicy Local: only endpoints of this node; silence without one; node ports are not bound by it',
    states: [
      {
        services: [nodePortService({ internalTrafficPolicy: 'Local' })],
        slices: [slice(['b', 'c'])],
        expect: [
          fromPod.to(AT_CLUSTER_IP).reaches('b'),
          fromNode.to(AT_CLUSTER_IP).reaches('b'),
          fromOutside.to(AT_NODE_PORT).reachesAsNode('b c'),
        ],
      },
      {
        when: 'no local endpoint',
        services: [nodePortService({ internalTrafficPolicy: 'Local' })],
        slices: [slice(['c'])],
        expect: [fromPod.to(AT_CLUSTER_IP).hearsNothing(), fromOutside.to(AT_NODE_PORT).reachesAsNode('c')],
      },
      {
        when: 'no endpoint at all',
        services: [nodePortService({ internalTrafficPolicy: 'Local' })],
        slices: [],
        expect: [fromPod.to(AT_CLUSTER_IP).isRefused()],
      },
    ],
  },
  {
    name: 'conditions: terminating endpoints get nothing while a ready one is there, and serve when none is',
    states: [
      {
        services: [service()],
        slices: [slice(['b', endpoint('c', { conditions: TERMINATING })])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b')],
      },
      {
        when: 'only terminating ones',
        services: [service()],
        slices: [
          slice([
            endpoint('b', { conditions: TERMINATING }),
            endpoint('c', { conditions: TERMINATING }),
            endpoint('d', { conditions: { ready: false, serving: false, terminating: true } }),
          ]),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b c')],
      },
      {
        when: 'only ones that are not ready',
        services: [service()],
        slices: [slice([endpoint('b', { conditions: NOT_READY })])],
        expect: [fromPod.to(AT_CLUSTER_IP).isRefused()],
      },
    ],
  },
  {
    name: 'conditions: under policy Local the fallback to terminating endpoints looks at this node',
    states: [
      {
        services: [nodePortService({ externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' })],
        slices: [slice([endpoint('b', { conditions: TERMINATING }), 'c'])],
        expect: [
          fromOutside.to(AT_NODE_PORT).reaches('b'),
          fromPod.to(AT_CLUSTER_IP).reaches('b'),
          fromNode.to(AT_NODE_PORT).reaches('c'),
        ],
      },
      {
        when: 'and does not prefer one to a ready one here',
        services: [nodePortService({ externalTrafficPolicy: 'Local' })],
        slices: [slice([endpoint('b', { conditions: TERMINATING }), 'a'])],
        expect: [fromOutside.to(AT_NODE_PORT).reaches('a')],
      },
    ],
  },
  {
    name: 'publishNotReadyAddresses: endpoints that the API calls ready serve, whatever else it says',
    states: [
      {
        services: [service({ publishNotReadyAddresses: true })],
        slices: [slice([endpoint('b', { conditions: { ready: true, serving: false, terminating: true } })])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b')],
      },
    ],
  },
  {
    name: 'conditions: absent ones mean ready',
    states: [
      {
        services: [service()],
        slices: [slice([endpoint('b', { conditions: {} })])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b')],
      },
    ],
  },
  {
    name: 'topology: zone hints keep traffic in the zone, only when every endpoint has them and one is for this zone',
    states: [
      {
        services: [service()],
        slices: [
          slice([
            endpoint('b', { hints: { forZones: [{ name: 'east' }] } }),
            endpoint('c', { hints: { forZones: [{ name: 'west' }, { name: 'east' }] } }),
            endpoint('d', { hints: { forZones: [{ name: 'west' }] } }),
          ]),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b c')],
      },
      {
        when: 'one has no hint',
        services: [service()],
        slices: [slice([endpoint('b', { hints: { forZones: [{ name: 'east' }] } }), 'c'])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b c')],
      },
      {
        when: 'none is for this zone',
        services: [service()],
        slices: [slice([endpoint('c', { hints: { forZones: [{ name: 'west' }] } })])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('c')],
      },
      {
        when: 'the only one of the zone is not ready',
        services: [service()],
        slices: [
          slice([
            endpoint('b', { conditions: NOT_READY, hints: { forZones: [{ name: 'east' }] } }),
            endpoint('c', { hints: { forZones: [{ name: 'west' }] } }),
          ]),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('c')],
      },
    ],
  },
  {
    name: 'topology: node hints come before zone hints',
    states: [
      {
        services: [service({ trafficDistribution: 'PreferSameNode' })],
        slices: [
          slice([
            endpoint('b', { hints: { forNodes: [{ name: 'node1' }], forZones: [{ name: 'east' }] } }),
            endpoint('c', { hints: { forNodes: [{ name: 'node2' }], forZones: [{ name: 'east' }] } }),
          ]),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b')],
      },
      {
        when: 'none on this node: the zone',
        services: [service({ trafficDistribution: 'PreferSameNode' })],
        slices: [
          slice([
            endpoint('c', { hints: { forNodes: [{ name: 'node2' }], forZones: [{ name: 'east' }] } }),
            endpoint('d', { hints: { forNodes: [{ name: 'node2' }], forZones: [{ name: 'west' }] } }),
          ]),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('c')],
      },
    ],
  },
  {
    name: 'slices: an endpoint that two slices repeat is one endpoint, as usable as the better of them says',
    states: [
      {
        services: [service()],
        slices: [
          slice([endpoint('b', { conditions: NOT_READY }), 'c']),
          slice(['b', 'c'], { name: 'web-2' }),
          slice(['d'], { name: 'other-1', service: 'other' }),
          slice(['d'], { name: 'web-6', addressType: 'IPv6' }),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b c')],
      },
    ],
  },
  {
    name: 'headless, ExternalName and other proxies’ Services: nothing is programmed',
    states: [
      {
        services: [
          service({ clusterIP: 'None', clusterIPs: ['None'] }),
          service(
            { type: 'ExternalName', externalName: 'example.org' },
            { metadata: { namespace: 'x', name: 'n' } },
          ),
          service(
            { clusterIP: OTHER_CLUSTER_IP, clusterIPs: [OTHER_CLUSTER_IP] },
            { metadata: { name: 'web2', labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } },
          ),
        ],
        slices: [slice(['b']), slice(['b'], { name: 'web2-1', service: 'web2' })],
        expect: [
          fromPod.to(AT_CLUSTER_IP).isUnreachable(),
          fromPod.to(place(OTHER_CLUSTER_IP, SERVICE_PORT)).isUnreachable(),
        ],
      },
    ],
  },
  {
    name: 'labels: a Service that becomes another proxy’s is left, and taken back',
    states: [
      { services: [service()], slices: [slice(['b'])], expect: [fromPod.to(AT_CLUSTER_IP).reaches('b')] },
      {
        when: 'service-proxy-name is set',
        services: [
          service({}, { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } }),
        ],
        slices: [slice(['b'])],
        expect: [fromPod.to(AT_CLUSTER_IP).isUnreachable()],
      },
      {
        when: 'and removed',
        services: [service()],
        slices: [slice(['b'])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b')],
      },
    ],
  },
  {
    name: 'two Services at one external address and port: the older one has it until it goes',
    states: [
      {
        services: [
          service(
            { externalIPs: [EXTERNAL_ADDRESS] },
            { metadata: { creationTimestamp: '2026-01-02T00:00:00Z' } },
          ),
          service(
            { clusterIP: OTHER_CLUSTER_IP, clusterIPs: [OTHER_CLUSTER_IP], externalIPs: [EXTERNAL_ADDRESS] },
            { metadata: { name: 'old', creationTimestamp: '2026-01-01T00:00:00Z' } },
          ),
        ],
        slices: [slice(['b']), slice(['c'], { name: 'old-1', service: 'old' })],
        expect: [
          fromPod.to(AT_BALANCER).reaches('c'),
          fromPod.to(AT_CLUSTER_IP).reaches('b'),
          fromPod.to(place(OTHER_CLUSTER_IP, SERVICE_PORT)).reaches('c'),
        ],
      },
      {
        when: 'the older one is gone',
        services: [service({ externalIPs: [EXTERNAL_ADDRESS] })],
        slices: [slice(['b'])],
        expect: [fromPod.to(AT_BALANCER).reaches('b')],
      },
    ],
  },
  {
    name: 'session affinity is programmed and taken away with the Service’s other rules in place',
    states: [
      {
        services: [balancedService({ sessionAffinity: 'ClientIP', externalTrafficPolicy: 'Local' })],
        slices: [slice(['b', 'c'])],
        expect: [fromOutside.to(AT_NODE_PORT).reaches('b'), fromPod.to(place(CLUSTER_IP, 9)).isRefused()],
      },
      {
        when: 'None',
        services: [balancedService({ externalTrafficPolicy: 'Local' })],
        slices: [slice(['b', 'c'])],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b c')],
      },
    ],
  },
  {
    name: 'unknown Pod range: cluster IPs keep the source, node ports do not',
    states: [
      {
        services: [nodePortService()],
        slices: [slice(['b'])],
        facts: { clusterCIDRs: [], podCIDRs: [] },
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b'), fromPod.to(AT_NODE_PORT).reachesAsNode('b')],
      },
      {
        when: 'it becomes known',
        services: [nodePortService()],
        slices: [slice(['b'])],
        facts: { clusterCIDRs: [parsePrefix('10.244.0.0/16')], podCIDRs: [parsePrefix('10.244.1.0/24')] },
        expect: [fromPod.to(AT_NODE_PORT).reaches('b'), fromOutside.to(AT_CLUSTER_IP).reachesAsNode('b')],
      },
    ],
  },
];
