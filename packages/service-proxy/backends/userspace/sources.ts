import { type IpAddress, type IpPrefix, prefixContains, prefixFamily } from '#ip';
import type { SourceTest } from '#kernel';
import type { Frontend } from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';

/**
 * Who may reach the frontend's socket at all; others hear nothing. Connections to a socket are accepted by the kernel, so silence
 * must be the kernel's too.
 */
export function sourceTests(
  { target, outside, sourceRanges, family }: Frontend,
  facts: Pick<NodeFacts, 'podCIDRs'>,
): readonly SourceTest[] {
  const inside = { prefixes: ofFamily(facts.podCIDRs, family), fromHost: true };
  const tests: SourceTest[] = [];
  if (sourceRanges !== undefined) tests.push({ prefixes: sourceRanges, fromHost: false });
  if (outside?.kind === 'drop') tests.push(inside);
  if (outside === undefined && target.kind === 'drop') tests.push({ prefixes: [], fromHost: false });
  return tests;
}

/** This node's Pods and its own processes. */
export function isInside(
  source: IpAddress,
  family: Frontend['family'],
  facts: Pick<NodeFacts, 'podCIDRs'>,
  isLocal: (address: IpAddress) => boolean,
): boolean {
  return ofFamily(facts.podCIDRs, family).some((prefix) => prefixContains(prefix, source)) || isLocal(source);
}

function ofFamily(prefixes: readonly IpPrefix[], family: Frontend['family']): readonly IpPrefix[] {
  return prefixes.filter((prefix) => prefixFamily(prefix) === family);
}
