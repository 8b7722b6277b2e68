import {
  AT_BALANCER,
  AT_CLUSTER_IP,
  AT_NODE_PORT,
  type BehaviourCase,
  fromNode,
  fromOutside,
  fromPod,
  place,
} from '../case.ts';
import {
  balancedService,
  EXTERNAL_ADDRESS,
  OTHER_CLUSTER_IP,
  OUTSIDE_ADDRESS,
  SERVICE_PORT,
  service,
  slice,
} from '../cluster.ts';

/** Addresses that the network around brings here: external IPs and load balancers'. */
export const EXTERNAL_ADDRESS_CASES: readonly BehaviourCase[] = [
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
];
