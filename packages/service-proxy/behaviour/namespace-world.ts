import type { ProxyBackend } from '../backend.ts';
import { buildTable, diffTables } from '../table/table.ts';
import type { BehaviourState, BehaviourWorld, Client, Outcome, Place } from './case.ts';
import { FACTS } from './cluster.ts';
import type { NamespaceLab } from './namespace-lab.ts';

/** So often an outcome is looked for that chance alone should have shown. */
const ATTEMPTS = 60;
/** After all expected outcomes have been seen, so often for one that should not be. */
const MORE_ATTEMPTS = 4;

/** A backend in the kernel, tried with real connections. */
export class NamespaceWorld implements BehaviourWorld, AsyncDisposable {
  readonly #lab: NamespaceLab;
  readonly #backend: ProxyBackend;
  #table = buildTable([], [], FACTS);

  constructor(lab: NamespaceLab, backend: ProxyBackend) {
    this.#lab = lab;
    this.#backend = backend;
  }

  async program(state: BehaviourState): Promise<void> {
    const previous = this.#table;
    this.#table = buildTable(state.services, state.slices, { ...FACTS, ...state.facts });
    const changed = diffTables(previous, this.#table).map(({ service }) => service);
    await this.#backend.apply(this.#table, changed);
  }

  /** As {@link program}, by a process that finds what an earlier one has left. @returns how much it wrote */
  async restart(state: BehaviourState): Promise<number> {
    this.#table = buildTable(state.services, state.slices, { ...FACTS, ...state.facts });
    await this.#backend.observe();
    return (await this.#backend.apply(this.#table, [])).writes;
  }

  async attempt(from: Client, to: Place, expected: readonly Outcome[]): Promise<ReadonlySet<Outcome>> {
    const seen = new Set<Outcome>();
    let more = expected.length > 1 ? MORE_ATTEMPTS : 1;
    for (let i = 0; i < ATTEMPTS && more > 0; i++) {
      const outcome = await this.#lab.attempt(from, to);
      // What no rule touches goes back where it came from, until its hops are used up.
      seen.add(outcome === 'unreachable' && expected.includes('untouched') ? 'untouched' : outcome);
      if (expected.every((one) => seen.has(one))) more--;
    }
    return seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend.cleanup();
  }
}
