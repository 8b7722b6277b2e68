import type { NetworkNamespace } from '#kernel';
import type { ProxyBackend } from '../backend.ts';
import type { NodeFacts } from '../table/facts.ts';
import { buildTable, diffTables, type ServiceTable } from '../table/table.ts';
import type { BehaviourState, BehaviourWorld, Client, Outcome, Place } from './case.ts';
import { FACTS } from './cluster.ts';
import { inFamily } from './in-family.ts';
import { type NamespaceLab, SILENCE_MS } from './namespace-lab.ts';

/** So often an outcome is looked for that chance alone should have shown. */
const ATTEMPTS = 200;
/** After all expected outcomes have been seen, so often for one that should not be. */
const MORE_ATTEMPTS = 4;
/**
 * The kernel sends one client no more ICMP errors than some at once and one a second; for a route of type `unreachable` it counts each
 * twice (ip_error, icmpv4_xrlim_allow). After so long it sends one, whatever cases before have used up.
 */
const ICMP_PAUSE_MS = 2_500;

const ICMP_ERRORS: ReadonlySet<Outcome> = new Set(['unreachable', 'untouched']);
/**
 * An ICMP error that comes while connect() still sends is kept for later (tcp_v6_err, sock_owned_by_user): the client hears of it by its second
 * packet, after a second.
 */
const REPEATED_MS = 1_500;

/** A backend in the kernel, tried with real connections. */
export class NamespaceWorld implements BehaviourWorld, AsyncDisposable {
  readonly #lab: NamespaceLab;
  readonly #create: () => ProxyBackend;
  #backend: ProxyBackend;
  readonly #facts: NodeFacts;
  #table: ServiceTable;

  constructor(lab: NamespaceLab, create: (node: NetworkNamespace) => ProxyBackend) {
    this.#lab = lab;
    this.#create = () => create(lab.node);
    this.#backend = this.#create();
    this.#facts = inFamily(lab.family, FACTS);
    this.#table = buildTable([], [], this.#facts);
  }

  async program(state: BehaviourState): Promise<void> {
    const previous = this.#table;
    this.#table = buildTable(state.services, state.slices, { ...this.#facts, ...state.facts });
    const changed = diffTables(previous, this.#table).map(({ service }) => service);
    await this.#backend.apply(this.#table, changed);
  }

  /** As {@link program}, by a process that finds what the one before has left. @returns how much it wrote */
  async restart(state: BehaviourState): Promise<number> {
    await this.#backend[Symbol.asyncDispose]();
    this.#backend = this.#create();
    this.#table = buildTable(state.services, state.slices, { ...this.#facts, ...state.facts });
    await this.#backend.observe();
    return (await this.#backend.apply(this.#table, [])).writes;
  }

  async attempt(from: Client, to: Place, expected: readonly Outcome[]): Promise<ReadonlySet<Outcome>> {
    const seen = new Set<Outcome>();
    let more = expected.length > 1 ? MORE_ATTEMPTS : 1;
    const isIcmp =
      expected.some((one) => ICMP_ERRORS.has(one)) || (expected.includes('refused') && to.protocol === 'UDP');
    // What comes late is not silent: where silence is none of what is expected an answer is waited for.
    const answerMs = expected.includes('silence') ? SILENCE_MS : undefined;
    for (let i = 0; i < ATTEMPTS && more > 0; i++) {
      let outcome = await this.#lab.attempt(from, to, i === 0 && isIcmp ? REPEATED_MS : answerMs);
      if (outcome === 'silence' && i === 0 && isIcmp) {
        await new Promise((resolve) => setTimeout(resolve, ICMP_PAUSE_MS));
        outcome = await this.#lab.attempt(from, to, answerMs);
      }
      // What no rule touches goes back where it came from, until its hops are used up.
      if (outcome === 'unreachable' && expected.includes('untouched')) outcome = 'untouched';
      seen.add(outcome);
      if (expected.every((one) => seen.has(one))) more--;
    }
    return seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend.cleanup();
    await this.#backend[Symbol.asyncDispose]();
  }
}
