import type { Endpoint } from '#kube-api';

/**
 * Who should use an endpoint that is ready, by the Service's `trafficDistribution`: those in its zone, or on its node.
 * Sources: KEP-4444 (PreferClose), KEP-3015 (PreferSameZone, PreferSameNode), endpointslice/trafficdist.
 */
export function endpointHints(
  distribution: string | undefined,
  nodeName: string | undefined,
  zone: string | undefined,
): Endpoint['hints'] {
  const forZones = zone === undefined ? undefined : { forZones: [{ name: zone }] };
  switch (distribution) {
    case 'PreferClose':
    case 'PreferSameZone':
      return forZones;
    case 'PreferSameNode':
      // The zone is for proxies that do not know the hint for nodes.
      return nodeName === undefined ? forZones : { forNodes: [{ name: nodeName }], ...forZones };
    default:
      return undefined;
  }
}
