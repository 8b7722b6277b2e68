import { familyOf, type IpFamily } from '#ip';
import { KernelError } from '../errors.ts';
import type { FdbEntry, FdbPort } from '../ports/fdb.ts';
import type { Neighbour, NeighbourPort } from '../ports/neighbours.ts';
import { drop, type NamespaceState } from './state.ts';

export class FakeNeighbours implements NeighbourPort {
  readonly #state: NamespaceState;

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  list(filter: { readonly link?: string; readonly family?: IpFamily } = {}): readonly Neighbour[] {
    return this.#state.neighbours.filter(
      ({ link, address }) =>
        (filter.link === undefined || link === filter.link) &&
        (filter.family === undefined || familyOf(address) === filter.family),
    );
  }

  replace(neighbour: Parameters<NeighbourPort['replace']>[0]): void {
    const { link, address } = neighbour;
    const { index } = this.#state.requireLink(link, 'set neighbour', `${address} on ${link}`);
    drop(this.#state.neighbours, (other) => other.link === link && other.address === address);
    this.#state.neighbours.push({ ...neighbour, state: neighbour.state ?? 'permanent' });
    this.#state.emit('neighbour', 'new', index);
  }

  delete({ link, address }: Pick<Neighbour, 'link' | 'address'>): void {
    if (drop(this.#state.neighbours, (other) => other.link === link && other.address === address))
      this.#state.emit('neighbour', 'del', this.#state.links.get(link)?.index ?? 0);
  }

  announce({ link, address }: Pick<Neighbour, 'link' | 'address'>): void {
    const failure = { operation: 'announce', object: `${address} on ${link}` };
    const { up, mac } = this.#state.requireLink(link, failure.operation, failure.object);
    if (!up) throw new KernelError({ errno: 'ENETDOWN', ...failure });
    this.#state.announcements.push({ link, address, mac });
  }
}

export class FakeFdb implements FdbPort {
  readonly #state: NamespaceState;

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  list(filter: { readonly link?: string } = {}): readonly FdbEntry[] {
    return this.#state.fdb.filter(({ link }) => filter.link === undefined || link === filter.link);
  }

  replace(entry: FdbEntry): void {
    this.#state.requireLink(entry.link, 'set FDB entry', `${entry.mac} on ${entry.link}`);
    const several = entry.mac === '00:00:00:00:00:00';
    drop(
      this.#state.fdb,
      (other) =>
        other.link === entry.link &&
        other.mac === entry.mac &&
        (!several || other.destination === entry.destination),
    );
    this.#state.fdb.push(entry);
  }

  delete(entry: FdbEntry): void {
    drop(
      this.#state.fdb,
      (other) =>
        other.link === entry.link && other.mac === entry.mac && other.destination === entry.destination,
    );
  }
}
