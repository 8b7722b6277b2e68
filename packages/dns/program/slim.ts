import type { EndpointSlice, Namespace, ObjectMeta, Pod, Service } from '#kube-api';

/** What informers keep: at 100,000 endpoints, fields that DNS does not read would be most of the memory. */

function slimMetadata({ name, namespace, uid, resourceVersion }: ObjectMeta = {}): ObjectMeta {
  return {
    ...(name !== undefined && { name }),
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  };
}

export function slimService({ metadata, spec = {} }: Service): Service {
  const { clusterIP, clusterIPs, externalName, ports, publishNotReadyAddresses, type } = spec;
  return {
    metadata: {
      ...slimMetadata(metadata),
      ...(metadata?.annotations && { annotations: metadata.annotations }),
    },
    spec: {
      ...(clusterIP !== undefined && { clusterIP }),
      ...(clusterIPs !== undefined && { clusterIPs }),
      ...(externalName !== undefined && { externalName }),
      ...(ports !== undefined && { ports }),
      ...(publishNotReadyAddresses !== undefined && { publishNotReadyAddresses }),
      ...(type !== undefined && { type }),
    },
  };
}

export function slimSlice({
  metadata,
  addressType,
  endpoints = [],
  ports = [],
}: EndpointSlice): EndpointSlice {
  const owner = metadata?.labels?.['kubernetes.io/service-name'];
  return {
    metadata: {
      ...slimMetadata(metadata),
      ...(owner !== undefined && { labels: { 'kubernetes.io/service-name': owner } }),
    },
    addressType,
    ports,
    endpoints: endpoints.map(({ addresses, conditions, hostname, zone }) => ({
      addresses,
      ...(conditions?.ready === false && { conditions: { ready: false } }),
      ...(hostname !== undefined && { hostname }),
      ...(zone !== undefined && { zone }),
    })),
  };
}

export function slimPod({ metadata, spec, status }: Pod): Pod {
  return {
    metadata: slimMetadata(metadata),
    ...(spec?.hostNetwork === true && { spec: { hostNetwork: true, containers: [] } }),
    status: {
      ...(status?.phase !== undefined && { phase: status.phase }),
      ...(status?.podIPs !== undefined && { podIPs: status.podIPs }),
    },
  };
}

export function slimNamespace({ metadata }: Namespace): Namespace {
  return { metadata: slimMetadata(metadata) };
}
