import type { ServicePort, ServiceSpec } from '#kube-api';
import { isHeadless } from './facts.ts';

/** Source: pkg/apis/core/v1/defaults.go SetDefaults_Service. */
export function defaultSpec(spec: ServiceSpec): ServiceSpec {
  const type = spec.type ?? 'ClusterIP';
  const external = type === 'NodePort' || type === 'LoadBalancer';
  return {
    ...spec,
    type,
    sessionAffinity: spec.sessionAffinity ?? 'None',
    ...(spec.sessionAffinity === 'ClientIP' && {
      sessionAffinityConfig: {
        clientIP: { timeoutSeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800 },
      },
    }),
    ...(spec.ports !== undefined && {
      ports: spec.ports.map((port) => ({
        ...port,
        protocol: port.protocol ?? 'TCP',
        ...(!isHeadless(spec) || port.targetPort !== undefined
          ? { targetPort: targetPort(port) }
          : { targetPort: port.port }),
      })),
    }),
    ...(external && { externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster' }),
    ...(type !== 'ExternalName' && { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' }),
    ...(type === 'LoadBalancer' && {
      allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true,
    }),
  };
}

function targetPort({ targetPort: target, port }: ServicePort): number | string {
  return target === undefined || target === 0 || target === '' ? port : target;
}
