import { AT_CLUSTER_IP, AT_NODE_PORT, type BehaviourCase, fromNode, fromOutside, fromPod } from '../case.ts';
import { endpoint, NOT_READY, nodePortService, service, slice, TERMINATING } from '../cluster.ts';

/** Endpoints that are not ready, or that terminate. */
export const ENDPOINT_CONDITION_CASES: readonly BehaviourCase[] = [
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
];
