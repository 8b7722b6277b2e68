import type { EndpointAddress, EndpointSubset, Endpoints, EndpointsPort } from '#kube-api';
import type { EndpointGroup } from './endpoints-of-pods.ts';

/** What the old API holds at most; more are left out and the object is marked. */
export const MAX_ADDRESSES = 1000;

/** The same endpoints in the shape of the old `Endpoints`: subsets by ports, in a stable order. */
export function subsetsOf(groups: readonly EndpointGroup[]): readonly EndpointSubset[] {
  let room = MAX_ADDRESSES;
  return groups
    .map(({ ports, endpoints }): EndpointSubset => {
      const shown = endpoints
        .filter(({ conditions }) => conditions?.terminating !== true)
        .toSorted((a, b) => ((a.addresses[0] ?? '') < (b.addresses[0] ?? '') ? -1 : 1))
        .slice(0, room);
      room -= shown.length;
      const addresses = (ready: boolean): readonly EndpointAddress[] =>
        shown
          .filter(({ conditions }) => (conditions?.ready !== false) === ready)
          .map(({ addresses: [ip = ''], hostname, nodeName, targetRef }) => ({
            ip,
            ...(hostname === undefined ? {} : { hostname }),
            ...(nodeName === undefined ? {} : { nodeName }),
            ...(targetRef === undefined ? {} : { targetRef }),
          }));
      const [ready, notReady] = [addresses(true), addresses(false)];
      return {
        ...(ready.length === 0 ? {} : { addresses: ready }),
        ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
        ...(ports.length === 0 ? {} : { ports: ports as readonly EndpointsPort[] }),
      };
    })
    .filter(({ addresses, notReadyAddresses }) => addresses !== undefined || notReadyAddresses !== undefined)
    .toSorted((a, b) => (JSON.stringify(a.ports) < JSON.stringify(b.ports) ? -1 : 1));
}

/** Endpoints that a person wrote, as groups of one family. */
export function groupsOfSubsets(endpoints: Endpoints, family: 'IPv4' | 'IPv6'): readonly EndpointGroup[] {
  return (endpoints.subsets ?? [])
    .map(({ addresses = [], notReadyAddresses = [], ports = [] }) => ({
      ports: ports.map((port) => ({ ...port, name: port.name ?? '', protocol: port.protocol ?? 'TCP' })),
      endpoints: [
        ...addresses.map((address) => ({ address, ready: true })),
        ...notReadyAddresses.map((address) => ({ address, ready: false })),
      ]
        .filter(({ address }) => address.ip.includes(':') === (family === 'IPv6'))
        .map(({ address: { ip, hostname, nodeName, targetRef }, ready }) => ({
          addresses: [ip],
          conditions: { ready },
          ...(hostname === undefined ? {} : { hostname }),
          ...(nodeName === undefined ? {} : { nodeName }),
          ...(targetRef === undefined ? {} : { targetRef }),
        })),
    }))
    .filter((group) => group.endpoints.length > 0);
}
