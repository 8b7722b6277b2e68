import { familyOf, InvalidAddressError, type IpAddress, type IpFamily, parseIp } from '#ip';
import type { EndpointSlice } from '#kube-api';
import type { Endpoint, Protocol } from './entry.ts';

/** An endpoint of one Service port with the conditions and hints that decide whether it is used. */
export interface Candidate {
  readonly endpoint: Endpoint;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zones: readonly string[] | undefined;
  readonly nodes: readonly string[] | undefined;
}

export interface PortSelector {
  /** Name of the Service's port, '' when it has none: the slice's port of the same name and protocol gives the number. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly family: IpFamily;
}

/**
 * Endpoints of a port over all slices, in order of address, one for each address and port. A `conditions` field that is
 * absent means ready (discovery.k8s.io/v1 EndpointConditions). Where slices repeat an endpoint (it moves between slices),
 * the more usable description counts.
 */
export function candidates(
  slices: Iterable<EndpointSlice>,
  port: PortSelector,
  nodeName: string,
  problems: string[],
): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== port.family) continue;
    for (const slicePort of slice.ports ?? []) {
      if ((slicePort.name ?? '') !== port.name || (slicePort.protocol ?? 'TCP') !== port.protocol) continue;
      if (slicePort.port === undefined) continue;
      for (const item of slice.endpoints ?? []) {
        // A slice's addresses beyond the first are undefined in meaning (API reference of Endpoint.addresses).
        const address = usableAddress(item.addresses[0], port.family, problems);
        if (address === undefined) continue;
        const ready = item.conditions?.ready ?? true;
        const candidate: Candidate = {
          endpoint: { address, port: slicePort.port, local: item.nodeName === nodeName },
          ready,
          serving: item.conditions?.serving ?? ready,
          terminating: item.conditions?.terminating ?? false,
          zones: item.hints?.forZones?.map((zone) => zone.name),
          nodes: item.hints?.forNodes?.map((node) => node.name),
        };
        const key = `${address} ${slicePort.port}`;
        const known = found.get(key);
        found.set(key, known === undefined ? candidate : merge(known, candidate));
      }
    }
  }
  return [...found.values()].sort((a, b) => compare(a.endpoint, b.endpoint));
}

function merge(a: Candidate, b: Candidate): Candidate {
  const better = b.ready && !a.ready ? b : a;
  return {
    ...better,
    endpoint: a.endpoint.local === b.endpoint.local ? better.endpoint : { ...better.endpoint, local: true },
    serving: a.serving || b.serving,
    terminating: a.terminating && b.terminating,
  };
}

function compare(a: Endpoint, b: Endpoint): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.port - b.port;
}

function usableAddress(
  text: string | undefined,
  family: IpFamily,
  problems: string[],
): IpAddress | undefined {
  if (text === undefined) return undefined;
  try {
    const address = parseIp(text);
    if (familyOf(address) === family) return address;
    problems.push(`endpoint address ${address} is not ${family}`);
  } catch (error) {
    if (!(error instanceof InvalidAddressError)) throw error;
    problems.push(`endpoint address: ${error.message}`);
  }
  return undefined;
}
