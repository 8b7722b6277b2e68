import { parseIp, parsePrefix } from '#ip';
import {
  AT_CLUSTER_IP,
  AT_NODE_PORT,
  type BehaviourCase,
  fromNode,
  fromOutside,
  fromPod,
  place,
  sctp,
  udp,
} from '../case.ts';
import { CLUSTER_IP, nodePortService, service, slice, UDP_PORT, UDP_TARGET } from '../cluster.ts';

/** The cluster IP: who reaches whom, and as whom. */
export const CLUSTER_IP_CASES: readonly BehaviourCase[] = [
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
