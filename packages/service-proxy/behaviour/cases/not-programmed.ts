import { AT_CLUSTER_IP, type BehaviourCase, fromPod, place } from '../case.ts';
import { OTHER_CLUSTER_IP, SERVICE_PORT, service, slice } from '../cluster.ts';

/** Services that are not ours to carry. */
export const NOT_PROGRAMMED_CASES: readonly BehaviourCase[] = [
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
];
