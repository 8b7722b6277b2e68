import type { ServiceSpec } from '#kube-api';
import { deepEqual } from '#kube-api';
import { isExternallyAccessible, mayHaveNodePorts, needsHealthCheckPort, needsNodePorts } from './facts.ts';

/**
 * Fields that only the old type has a meaning for go with it, as long as the update leaves them as they were: who changes the
 * type need not know them. Source: pkg/registry/core/service/strategy.go dropTypeDependentFields.
 */
export function withoutTypeDependent(spec: ServiceSpec, old: ServiceSpec | undefined): ServiceSpec {
  if (old === undefined) return spec;
  const goes = (field: string) =>
    TYPE_DEPENDENT.some(
      ([name, belongs]) =>
        name === field && belongs(old) && !belongs(spec) && deepEqual(spec[name], old[name]),
    );
  return Object.fromEntries(Object.entries(spec).filter(([field]) => !goes(field)));
}

const TYPE_DEPENDENT: readonly (readonly [keyof ServiceSpec, (spec: ServiceSpec) => boolean])[] = [
  ['externalTrafficPolicy', isExternallyAccessible],
  ['healthCheckNodePort', needsHealthCheckPort],
  ['allocateLoadBalancerNodePorts', ({ type }) => type === 'LoadBalancer'],
  ['loadBalancerClass', ({ type }) => type === 'LoadBalancer'],
];

/** What an update that does not name them keeps. Source: pkg/registry/core/service/storage patchAllocatedValues. */
export function inherit(spec: ServiceSpec, old: ServiceSpec | undefined): ServiceSpec {
  if (old === undefined || spec.type === 'ExternalName') return spec;
  const oldClusterIP = old.type === 'ExternalName' ? undefined : old.clusterIP;
  const clusterIP = spec.clusterIP ?? spec.clusterIPs?.[0] ?? oldClusterIP;
  const sameAddress = clusterIP === oldClusterIP;
  const oldPorts = new Map(
    (old.ports ?? []).map((port) => [`${port.protocol ?? 'TCP'}/${port.port}`, port.nodePort] as const),
  );
  // Who changes the one without the other means both.
  const stale = !sameAddress && deepEqual(spec.clusterIPs, old.clusterIPs);
  const clusterIPs =
    stale && clusterIP !== undefined
      ? [clusterIP]
      : (spec.clusterIPs ?? (sameAddress ? old.clusterIPs : undefined));
  return {
    ...spec,
    ...(clusterIP !== undefined && { clusterIP }),
    ...(clusterIPs !== undefined && { clusterIPs }),
    ...(spec.ipFamilies === undefined &&
      old.ipFamilies !== undefined &&
      sameAddress && { ipFamilies: old.ipFamilies }),
    ...(spec.ipFamilyPolicy === undefined &&
      old.ipFamilyPolicy !== undefined && { ipFamilyPolicy: old.ipFamilyPolicy }),
    ...(needsNodePorts(spec) &&
      mayHaveNodePorts(old) &&
      spec.ports !== undefined && {
        ports: spec.ports.map((port) => {
          const inherited = port.nodePort || oldPorts.get(`${port.protocol ?? 'TCP'}/${port.port}`);
          return inherited ? { ...port, nodePort: inherited } : port;
        }),
      }),
    ...(needsHealthCheckPort(spec) &&
      spec.healthCheckNodePort === undefined &&
      old.healthCheckNodePort !== undefined && { healthCheckNodePort: old.healthCheckNodePort }),
  };
}
