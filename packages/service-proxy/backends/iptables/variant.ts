import { IP_FAMILIES } from '#ip';
import type { IptablesPort, IptablesVariant } from '#kernel';
import { PREFIX } from './names.ts';
import { parseSave } from './parse.ts';

export const VARIANT_CHOICES = ['auto', 'nft', 'legacy'] as const;
export type VariantChoice = (typeof VARIANT_CHOICES)[number];

/** Chains that show which variant a node uses: ours, or those of the kubelet and of kube-proxy. */
const SIGNS = [PREFIX, 'KUBE-'];

/**
 * The variant that is in use on this machine: the one that holds rules of ours from before, else of Kubernetes, else the one that `iptables`
 * stands for. One set of rules beside another's of the other variant would work, but nobody would find them.
 * @returns undefined when iptables is not installed
 */
export async function chooseVariant(
  iptables: IptablesPort,
  choice: VariantChoice,
): Promise<IptablesVariant | undefined> {
  const installed = iptables.variants();
  if (choice !== 'auto') return installed.find((variant) => variant === choice);
  const chains = new Map<IptablesVariant, readonly string[]>();
  for (const variant of installed) chains.set(variant, await natChains(iptables, variant));
  for (const sign of SIGNS)
    for (const [variant, names] of chains) if (names.some((name) => name.startsWith(sign))) return variant;
  return installed[0];
}

async function natChains(iptables: IptablesPort, variant: IptablesVariant): Promise<readonly string[]> {
  const names: string[] = [];
  for (const family of IP_FAMILIES)
    if ((await iptables.tables(variant, family))?.includes('nat'))
      names.push(...(await parseSave(await iptables.save(variant, family, 'nat'))).keys());
  return names;
}
