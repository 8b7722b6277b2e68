import type { TargetChains } from './layout.ts';

/** How many elements and chains go to each target chain, so that those that nothing goes to can be removed. */
export class ChainUses {
  readonly #targets: TargetChains;
  readonly #uses = new Map<string, number>();

  constructor(targets: TargetChains) {
    this.#targets = targets;
  }

  /** @param value of an element: `goto ep3`, or anything else */
  add(value: string, change: 1 | -1): void {
    const name = this.chainOf(value);
    if (name === undefined) return;
    const before = this.#uses.get(name) ?? 0;
    const after = before + change;
    if (after === 0) this.#uses.delete(name);
    else this.#uses.set(name, after);
    // A chain that is in use uses what it goes to, once.
    if ((before === 0) !== (after === 0))
      for (const inner of this.#targets.body(name).needs) this.add(`goto ${inner}`, change);
  }

  /** The target chains among `chains` that nothing goes to, outer ones first: they can be deleted in this order. */
  unused(chains: Iterable<string>): readonly string[] {
    const { readyMade } = this.#targets;
    return [...chains]
      .filter((name) => this.#targets.is(name) && !this.#uses.has(name) && !readyMade.includes(name))
      .sort((a, b) => this.#depth(b) - this.#depth(a));
  }

  /** The target chain that a verdict goes to. */
  chainOf(value: string): string | undefined {
    const name = /^(?:goto|jump) (.+)$/.exec(value)?.[1];
    return name !== undefined && this.#targets.is(name) ? name : undefined;
  }

  #depth(name: string): number {
    return 1 + Math.max(-1, ...this.#targets.body(name).needs.map((inner) => this.#depth(inner)));
  }
}
