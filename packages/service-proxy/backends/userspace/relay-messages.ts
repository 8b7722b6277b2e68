import { type IpAddress, type IpPrefix, parseIp } from '#ip';
import type { Endpoint, Frontend, FrontendKey, Target } from '../../table/entry.ts';

export type RelayEndpoint = Pick<Endpoint, 'address' | 'port'>;

/** `ADDRESS PORT`, with commas between: ten of them as objects take ten times the memory, and most are never asked for. */
export type EndpointList = string & { readonly __endpoints: unique symbol };

/** What a relay has to know of a frontend. */
export interface RelayedFrontend
  extends Pick<Frontend, 'family' | 'address' | 'port' | 'protocol' | 'sourceRanges' | 'affinitySeconds'> {
  /** For every source, or with {@link outside} for this node's Pods and processes only; none: nobody answers. */
  readonly target: EndpointList;
  readonly outside: EndpointList | undefined;
  /** For flows of UDP: those who serve, whatever the policies say. */
  readonly serving: EndpointList;
}

/** Plain values, from the thread that decides to the one that relays, in the order in which they are to be done. */
export type RelayMessage =
  | { readonly kind: 'facts'; readonly podCIDRs: readonly IpPrefix[] }
  /** `fd` listens on the frontend's address and port, and is the relay's from now on. */
  | { readonly kind: 'listen'; readonly fd: number; readonly frontend: RelayedFrontend }
  /** The decisions have changed. */
  | { readonly kind: 'update'; readonly frontend: RelayedFrontend }
  /** Nobody new is answered; TCP connections go on. */
  | { readonly kind: 'close'; readonly key: FrontendKey }
  /** Connections to the address cannot go on. */
  | { readonly kind: 'reset'; readonly address: IpAddress };

/** Where messages go: a thread, or a relay in this one. Disposing ends the relaying; descriptors stay open. */
export interface RelayChannel extends AsyncDisposable {
  /** Resolves when they have been acted on. */
  send(messages: readonly RelayMessage[]): Promise<void>;
}

export function relayed(frontend: Frontend): RelayedFrontend {
  const { family, address, port, protocol, sourceRanges, affinitySeconds } = frontend;
  return {
    ...{ family, address, port, protocol, sourceRanges, affinitySeconds },
    target: listOf(frontend.target),
    outside: frontend.outside && listOf(frontend.outside),
    serving: encodeEndpoints(protocol === 'UDP' ? frontend.serving : []),
  };
}

export function encodeEndpoints(endpoints: readonly RelayEndpoint[]): EndpointList {
  return endpoints.map(({ address, port }) => `${address} ${port}`).join(',') as EndpointList;
}

export function decodeEndpoints(list: EndpointList): readonly RelayEndpoint[] {
  if (list === '') return [];
  return list.split(',').map((text) => {
    const [address = '', port] = text.split(' ');
    return { address: parseIp(address), port: Number(port) };
  });
}

function listOf(target: Target): EndpointList {
  return encodeEndpoints(target.kind === 'endpoints' ? target.endpoints : []);
}

/** What a relay's thread is told, in one post. */
export interface RelayPost {
  readonly messages: readonly RelayMessage[];
  /** Said back when they have been acted on; undefined: nobody waits. */
  readonly receipt: number | undefined;
}
/** Asks the thread to end. */
export const END = 'end';
