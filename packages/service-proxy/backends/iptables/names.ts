import { hash } from 'node:crypto';
import type { IpPrefix } from '#ip';
import type { Endpoint, FrontendKey } from '../../table/entry.ts';

/** Every chain of ours begins so, and none of anybody else's. */
export const PREFIX = 'PODWAY-';

/** Chains that do not depend on any Service. README.md says what each is for. */
export const SERVICES = 'PODWAY-SERVICES';
export const POSTROUTING = 'PODWAY-POSTROUTING';
export const HAIRPINS = 'PODWAY-HAIRPINS';
export const MASQUERADE_CLUSTER = 'PODWAY-MASQ-CLUSTER';
export const MASQUERADE_NODE = 'PODWAY-MASQ-NODE';
export const MASQUERADE_SELF = 'PODWAY-MASQ-SELF';
export const FILTER = 'PODWAY-FILTER';
export const REFUSE = 'PODWAY-REFUSE';

/** Chains of a network of Service addresses: `to` in nat and filter, `from` in nat. */
export function networkChains(network: IpPrefix): { readonly to: string; readonly from: string } {
  const digest = digestOf(network);
  return { to: `PODWAY-NET-${digest}`, from: `PODWAY-SRC-${digest}` };
}

/** Chains of one frontend. */
export function frontendChains(key: FrontendKey) {
  const digest = digestOf(key);
  return {
    ranged: `PODWAY-FW-${digest}`,
    main: `PODWAY-SVC-${digest}`,
    own: `PODWAY-OWN-${digest}`,
  } as const;
}

/** The list of clients that stay with an endpoint: /proc/net/xt_recent has a file of this name. */
export function affinityList(key: FrontendKey, { address, port }: Endpoint): string {
  return `PODWAY-${digestOf(`${key} ${address} ${port}`)}`;
}

/** 64 bits: a chain's name may have 28 characters. */
function digestOf(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 16).toUpperCase();
}
