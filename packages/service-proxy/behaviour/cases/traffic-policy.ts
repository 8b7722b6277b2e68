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
} from '../case.ts';
import { balancedService, nodePortService, slice } from '../cluster.ts';

/** Policies that keep traffic on this node. */
export const TRAFFIC_POLICY_CASES: readonly BehaviourCase[] = [
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
];
