import { matchesConntrackFilter } from '../netlink/conntrack.ts';
import type { ConntrackEntry, ConntrackFilter, ConntrackPort, ConntrackTuple } from '../ports/conntrack.ts';
import { drop, type NamespaceState } from './state.ts';

/** No traffic makes entries here: tests put them in with {@link add}. */
export class FakeConntrack implements ConntrackPort {
  readonly #state: NamespaceState;

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  add(entry: ConntrackEntry): void {
    this.#state.conntrack.push(entry);
  }

  async list(filter: ConntrackFilter = {}): Promise<readonly ConntrackEntry[]> {
    return this.#state.conntrack.filter((entry) => matchesConntrackFilter(entry, filter));
  }

  delete({ original }: Pick<ConntrackEntry, 'original'>): void {
    drop(this.#state.conntrack, (entry) => same(entry.original, original));
  }
}

function same(a: ConntrackTuple, b: ConntrackTuple): boolean {
  return (
    a.source === b.source &&
    a.destination === b.destination &&
    a.protocol === b.protocol &&
    a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort
  );
}
