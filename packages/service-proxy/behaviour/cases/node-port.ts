import {
  AT_CLUSTER_IP,
  AT_NODE_PORT,
  type BehaviourCase,
  fromNode,
  fromOtherPod,
  fromOutside,
  fromPod,
  place,
  udp,
} from '../case.ts';
import { NODE_PORT, nodePortService, service, slice, TCP_PORT, UDP_PORT, UDP_TARGET } from '../cluster.ts';

/** Ports of the node. */
export const NODE_PORT_CASES: readonly BehaviourCase[] = [
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
              { ...TCP_PORT, nodePort: NODE_PORT },
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
        services: [nodePortService({ ports: [{ ...TCP_PORT, nodePort: NODE_PORT + 1 }] })],
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
];
