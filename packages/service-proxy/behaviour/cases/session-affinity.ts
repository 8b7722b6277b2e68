import { AT_CLUSTER_IP, AT_NODE_PORT, type BehaviourCase, fromOutside, fromPod, place } from '../case.ts';
import { balancedService, CLUSTER_IP, slice } from '../cluster.ts';

/** Affinity beside the Service's other rules; affinity.ts has what clients see of it. */
export const SESSION_AFFINITY_CASES: readonly BehaviourCase[] = [
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
];
