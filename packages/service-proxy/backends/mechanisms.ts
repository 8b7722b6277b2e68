import type { NetworkNamespace } from '#kernel';
import type { Clock, Logger } from '#runtime';
import type { ProxyBackend } from '../backend.ts';
import { IptablesBackend } from './iptables/backend.ts';
import type { VariantChoice } from './iptables/variant.ts';
import { IpvsBackend } from './ipvs/backend.ts';
import { DEFAULT_IPVS_OPTIONS, type IpvsOptions } from './ipvs/options.ts';
import { NftablesBackend } from './nftables/backend.ts';
import { UserspaceBackend } from './userspace/backend.ts';

/** The ways to carry Services, the one to choose without a reason for another first. */
export const PROXY_MECHANISMS = ['nftables', 'iptables', 'ipvs', 'userspace'] as const;
export type ProxyMechanism = (typeof PROXY_MECHANISMS)[number];

export interface MechanismDeps {
  /** The node's. */
  readonly netns: NetworkNamespace;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Which of the two kernel interfaces iptables uses [auto]. */
  readonly iptablesVariant?: VariantChoice;
  readonly ipvs?: IpvsOptions;
}

/** A backend of its own for each call: nothing is read, written or started yet. */
export function createBackend(mechanism: ProxyMechanism, deps: MechanismDeps): ProxyBackend {
  const { netns } = deps;
  switch (mechanism) {
    case 'nftables':
      return new NftablesBackend(netns.nft);
    case 'iptables':
      return new IptablesBackend(netns.iptables, netns.nft, deps.iptablesVariant);
    case 'ipvs':
      return new IpvsBackend(deps, deps.ipvs ?? DEFAULT_IPVS_OPTIONS);
    case 'userspace':
      return new UserspaceBackend(deps);
  }
}

/** The mechanisms that may have left something where `mechanism` is to serve. */
export function otherMechanisms(mechanism: ProxyMechanism): readonly ProxyMechanism[] {
  return PROXY_MECHANISMS.filter((other) => other !== mechanism);
}
