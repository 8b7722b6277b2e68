import { addressBits, familyOf, hostPrefix, type IpAddress, type IpPrefix, prefixOf } from '#ip';
import type { Frontend } from '../../table/entry.ts';
import { entranceRule, masqueradeRule, untranslatedRule } from './frontend-rules.ts';
import type { IptRule } from './model.ts';
import { REFUSE } from './names.ts';

/** A Service's frontend. */
export interface Placed {
  readonly service: string;
  readonly frontend: Frontend;
}

/** The rules of all frontends whose addresses are in one network of {@link networkOf}; none: no such chain. */
export interface NetworkRules {
  /** nat: which frontend is it? */
  readonly entrances: readonly IptRule[];
  /** nat, after routing: what it was addressed to says whose address is replaced. */
  readonly masquerades: readonly IptRule[];
  /** filter: what was not translated and shall not go on. */
  readonly leftovers: readonly IptRule[];
}

/** 256 addresses: a packet is compared with the networks, then with what is in its own, and a change writes no more than that. */
const NETWORK_BITS = 8;

export function networkOf(address: IpAddress): IpPrefix {
  return prefixOf(address, addressBits(familyOf(address)) - NETWORK_BITS);
}

export function networkRules(frontends: Iterable<Placed>): NetworkRules {
  const placed = [...frontends].sort(byPlace);
  const masquerades = new Map<string, IptRule>();
  const clusterIPs = new Set<IpAddress>();
  for (const { frontend } of placed) {
    const rule = masqueradeRule(frontend);
    if (rule !== undefined) masquerades.set(JSON.stringify(rule), rule);
    if (frontend.kind === 'ClusterIP') clusterIPs.add(frontend.address);
  }
  const silenced = placed.flatMap(({ frontend }) => untranslatedRule(frontend) ?? []);
  const closed = [...clusterIPs].map(
    (address): IptRule => ({ destination: hostPrefix(address), verdict: { do: 'goto', chain: REFUSE } }),
  );
  return {
    entrances: placed.flatMap(({ service, frontend }) => entranceRule(frontend, service) ?? []),
    masquerades: [...masquerades.values()],
    // An address that the node itself has (the DNS address) may have other ports than the Service's.
    leftovers: [
      ...silenced,
      ...(closed.length > 0 ? [{ local: 'destination', verdict: { do: 'return' } } as const] : []),
      ...closed,
    ],
  };
}

function byPlace({ frontend: a }: Placed, { frontend: b }: Placed): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  if (a.port !== b.port) return a.port - b.port;
  return a.protocol < b.protocol ? -1 : 1;
}
