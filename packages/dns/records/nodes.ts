import { familyOf, type IpAddress, parseIp } from '#ip';
import type { DnsName, RecordData, ResourceRecord } from '../wire/index.ts';
import type { ServiceEndpoint, ServiceView } from './service-view.ts';

/** Every record set of one name, or that the name does not exist. A name may exist and have no records. */
export type Node = {
  readonly records: readonly RecordData[];
  readonly additionals?: readonly ResourceRecord[];
};

/** A name that exists only since others are below it. */
export const EMPTY: Node = { records: [] };

export function serviceNode(view: ServiceView): Node | undefined {
  switch (view.kind) {
    case 'cluster-ip':
      return { records: view.addresses.map(addressData) };
    case 'headless':
      // Section 2.4.1: without a ready endpoint the name does not exist.
      return view.endpoints.length === 0 ? undefined : { records: uniqueAddresses(view.endpoints) };
    case 'external':
      return { records: [{ type: 'CNAME', target: view.target }] };
    case 'pending':
      return EMPTY;
  }
}

export function endpointNode(endpoints: readonly ServiceEndpoint[], hostname: string): Node | undefined {
  const own = endpoints.filter((endpoint) => endpoint.hostname === hostname);
  return own.length === 0 ? undefined : { records: uniqueAddresses(own) };
}

/** The endpoints of a zone, or that there are zones; zones are told apart without regard to case, as all names are. */
export function zonalNode(endpoints: readonly ServiceEndpoint[], zone: string | undefined): Node | undefined {
  const zoned = endpoints.filter((endpoint) => endpoint.zone !== undefined);
  if (zone === undefined) return zoned.length === 0 ? undefined : EMPTY;
  const own = zoned.filter((endpoint) => endpoint.zone?.toLowerCase() === zone);
  return own.length === 0 ? undefined : { records: uniqueAddresses(own) };
}

function uniqueAddresses(endpoints: readonly ServiceEndpoint[]): readonly RecordData[] {
  return [...new Set(endpoints.map(({ address }) => address))].map(addressData);
}

export function addressData(address: IpAddress): RecordData {
  return { type: familyOf(address) === 'IPv4' ? 'A' : 'AAAA', address };
}

/** Weights share 100 among the targets, as RFC 2782 wants small numbers; none is 0, which would mean "rarely". */
export function srvData(port: number, target: DnsName, targets: number): RecordData {
  return { type: 'SRV', priority: 0, weight: Math.max(1, Math.floor(100 / targets)), port, target };
}

/** `10-1-0-2` or `2001-db8--1`. */
export function addressOfLabel(label: string): IpAddress | undefined {
  for (const separator of ['.', ':']) {
    try {
      return parseIp(label.replaceAll('-', separator));
    } catch {
      // Not an address of this family.
    }
  }
  return undefined;
}
