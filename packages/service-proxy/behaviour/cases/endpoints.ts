import {
  AT_BALANCER,
  AT_CLUSTER_IP,
  AT_NODE_PORT,
  type BehaviourCase,
  client,
  fromNode,
  fromOtherPod,
  fromOutside,
  fromPod,
  udp,
} from '../case.ts';
import {
  EXTERNAL_ADDRESS,
  endpoint,
  hostEndpoint,
  NODE_PORT,
  NOT_READY,
  nodePortService,
  service,
  slice,
  TCP_PORT,
  UDP_PORT,
} from '../cluster.ts';

/** Which endpoints there are: none, some, changing ones, in several slices, on the nodes' own network. */
export const ENDPOINT_CASES: readonly BehaviourCase[] = [
  {
    name: 'no endpoints: refused at once, TCP and UDP, by every way in',
    states: [
      {
        services: [
          service({
            type: 'NodePort',
            externalIPs: [EXTERNAL_ADDRESS],
            ports: [
              { ...TCP_PORT, nodePort: NODE_PORT },
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
];
