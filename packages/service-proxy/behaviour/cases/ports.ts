import { AT_CLUSTER_IP, type BehaviourCase, fromPod, place, udp } from '../case.ts';
import {
  CLUSTER_IP,
  service,
  slice,
  TARGET_PORT,
  TCP_PORT,
  TCP_TARGET,
  UDP_PORT,
  UDP_TARGET,
} from '../cluster.ts';

/** Several ports and protocols of one Service. */
export const PORT_CASES: readonly BehaviourCase[] = [
  {
    name: 'ports: the same number on two protocols leads to different endpoints',
    states: [
      {
        services: [
          service({
            ports: [
              { ...UDP_PORT, name: 'u' },
              { ...TCP_PORT, name: 't' },
            ],
          }),
        ],
        slices: [
          slice(['b'], { ports: [{ ...TCP_TARGET, name: 't' }] }),
          slice(['c'], { name: 'web-2', ports: [{ ...UDP_TARGET, name: 'u' }] }),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b'), fromPod.to(udp(AT_CLUSTER_IP)).reaches('c')],
      },
    ],
  },
  {
    name: 'ports: several, by name, with another number in each slice',
    states: [
      {
        services: [service({ ports: [TCP_PORT, { ...TCP_PORT, name: 'side', port: 81 }] })],
        slices: [
          slice(['b'], { ports: [TCP_TARGET, { ...TCP_TARGET, name: 'side', port: TARGET_PORT + 1 }] }),
          slice(['c'], { name: 'web-2', ports: [{ ...TCP_TARGET, port: TARGET_PORT + 1 }] }),
        ],
        expect: [fromPod.to(AT_CLUSTER_IP).reaches('b c'), fromPod.to(place(CLUSTER_IP, 81)).reaches('b')],
      },
    ],
  },
];
