import { PROTOCOLS } from '../../table/transport.ts';
import type { NftChain, NftField, NftRule, NftStatement } from './model.ts';

/** What the packet is addressed to. */
export const DESTINATION: readonly NftField[] = ['daddr', 'l4proto', 'dport'];
/** What it was addressed to before it was translated. */
export const ORIGINAL: readonly NftField[] = ['ct original daddr', 'l4proto', 'ct original dport'];

export function is(field: NftField, ...values: readonly string[]): NftStatement {
  return { do: 'match', field, values };
}

export function inSet(key: readonly NftField[], set: string): NftStatement {
  return { do: 'lookup', key, set, negate: false };
}

export function goto(chain: string): NftStatement {
  return { do: 'goto', chain };
}

export function decide(key: readonly NftField[], map: string): NftStatement {
  return { do: 'verdict map', key, map };
}

/** nft knows the type of `ct original proto-dst` only after a match on one protocol: one rule for each. */
export function eachProtocol(rule: NftRule): readonly NftRule[] {
  return PROTOCOLS.map((protocol) => [is('l4proto', protocol), ...rule]);
}

export function chain(name: string, ...rules: readonly NftRule[]): NftChain {
  return { name, hook: undefined, rules };
}

export function hooked(
  at: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting',
  type: 'nat' | 'filter',
  priority: number,
  rules: readonly NftRule[],
): NftChain {
  return { name: at, hook: { type, at, priority }, rules };
}

/** A "no" at once. */
export const REFUSE = chain(
  'refuse',
  [is('l4proto', 'tcp'), { do: 'reject', with: 'tcp reset' }],
  [{ do: 'reject', with: 'port-unreachable' }],
);
