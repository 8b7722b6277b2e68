import { AT_CLUSTER_IP, type BehaviourCase, fromPod } from '../case.ts';
import { endpoint, NOT_READY, service, slice } from '../cluster.ts';

/** Hints that keep traffic near. */
export const TOPOLOGY_CASES: readonly BehaviourCase[] = [
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
];
