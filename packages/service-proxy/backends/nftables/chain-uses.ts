import { isTargetChain, type TargetChainName, targetChainBody } from './target-chains.ts';

/** How many elements and chains go to each target chain, so that those that nothing goes to can be removed. */
export class ChainUses {
  readonly #uses = new Map<string, number>();

  /** @param value of an element: `goto ep3`, or anything else */
  add(value: string, change: 1 | -1): void {
    const name = chainOf(value);
    if (name === undefined) return;
    const before = this.#uses.get(name) ?? 0;
    const after = before + change;
    if (after === 0) this.#uses.delete(name);
    else this.#uses.set(name, after);
    // A chain that is in use uses what it goes to, once.
    if ((before === 0) !== (after === 0))
      for (const inner of targetChainBody(name).needs) this.add(`goto ${inner}`, change);
  }

  /** The target chains among `chains` that nothing goes to, outer ones first: they can be deleted in this order. */
  unused(chains: Iterable<string>): readonly TargetChainName[] {
    return [...chains]
      .filter(isTargetChain)
      .filter((name) => !this.#uses.has(name))
      .sort((a, b) => depth(b) - depth(a));
  }
}

/** The chain that a verdict goes to. */
export function chainOf(value: string): TargetChainName | undefined {
  const name = /^(?:goto|jump) (.+)$/.exec(value)?.[1];
  return name !== undefined && isTargetChain(name) ? name : undefined;
}

function depth(name: TargetChainName): number {
  return 1 + Math.max(-1, ...targetChainBody(name).needs.map(depth));
}
