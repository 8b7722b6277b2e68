import type { IpAddress } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';
import { decideService, isForeign } from './decide.ts';
import { type Frontend, type FrontendKey, isExternal, keyOf, type ServiceEntry } from './entry.ts';
import type { NodeFacts } from './facts.ts';
import { OtherNodes } from './other-nodes.ts';
import { printEntry } from './print.ts';

/** Every decision about every Service on one node, whatever mechanism then carries it. */
export interface ServiceTable {
  readonly facts: NodeFacts;
  /** By `namespace/name`. */
  readonly services: ReadonlyMap<string, ServiceEntry>;
  /** Who answers there. */
  lookup(key: FrontendKey): { readonly entry: ServiceEntry; readonly frontend: Frontend } | undefined;
}

/** What one {@link ServiceTableBuilder.commit} changed. */
export interface EntryChange {
  readonly service: string;
  readonly previous: ServiceEntry | undefined;
  readonly next: ServiceEntry | undefined;
}

/** The label by which an EndpointSlice names its Service. */
const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/**
 * Keeps a {@link ServiceTable} current at the cost of what changes: a Service is decided again only when it, one of its slices
 * or the facts change, and {@link commit} tells which decisions came out different.
 */
export class ServiceTableBuilder {
  #facts: NodeFacts;
  readonly #services = new Map<string, Service>();
  /** Service -> slice -> slice; and slice -> Service, for a slice that changes its label or goes. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #serviceOfSlice = new Map<string, string>();
  readonly #otherNodes = new OtherNodes();
  readonly #dirty = new Set<string>();
  /** What each Service asks for, before another one's older claim to the same address and port is honoured. */
  readonly #asked = new Map<string, ServiceEntry>();
  readonly #claims = new Map<FrontendKey, readonly string[]>();
  readonly #entries = new Map<string, ServiceEntry>();
  readonly table: ServiceTable;

  constructor(facts: NodeFacts) {
    this.#facts = facts;
    const builder = this;
    this.table = {
      get facts() {
        return builder.#facts;
      },
      services: this.#entries,
      lookup: (key) => this.#lookup(key),
    };
  }

  setFacts(facts: NodeFacts): void {
    if (JSON.stringify(facts) === JSON.stringify(this.#facts)) return;
    this.#facts = facts;
    for (const service of this.#services.keys()) this.#dirty.add(service);
  }

  /**
   * @param addresses that another node has by itself; none: it is gone
   * @returns whether any decision is due for it
   */
  setOtherNode(node: string, addresses: readonly IpAddress[]): boolean {
    const changed = this.#otherNodes.set(node, addresses);
    if (changed.size === 0) return false;
    const due = [...this.#asked].filter(([, { frontends }]) =>
      frontends.some((frontend) => isExternal(frontend) && changed.has(frontend.address)),
    );
    for (const [service] of due) this.#dirty.add(service);
    return due.length > 0;
  }

  /** @param key `namespace/name` */
  setService(key: string, service: Service | undefined): void {
    if (service === undefined) this.#services.delete(key);
    else this.#services.set(key, service);
    this.#dirty.add(key);
  }

  /** @param key `namespace/name` of the slice */
  setSlice(key: string, slice: EndpointSlice | undefined): void {
    const previous = this.#serviceOfSlice.get(key);
    const name = slice?.metadata?.labels?.[SERVICE_NAME_LABEL];
    const service =
      slice === undefined || name === undefined || isForeign(slice)
        ? undefined
        : `${slice.metadata?.namespace}/${name}`;
    if (previous !== undefined && previous !== service) {
      const siblings = this.#slices.get(previous);
      siblings?.delete(key);
      if (siblings?.size === 0) this.#slices.delete(previous);
      this.#serviceOfSlice.delete(key);
      this.#dirty.add(previous);
    }
    if (slice === undefined || service === undefined) return;
    const siblings = this.#slices.get(service) ?? new Map<string, EndpointSlice>();
    siblings.set(key, slice);
    this.#slices.set(service, siblings);
    this.#serviceOfSlice.set(key, service);
    this.#dirty.add(service);
  }

  /** How many Services are due to be decided. */
  get due(): number {
    return this.#dirty.size;
  }

  /**
   * Decides what is due; the result lists the entries that differ from before.
   * @param limit no more Services than this: the rest stays due, and the table is none of any one time until all is decided
   */
  commit(limit = this.due): readonly EntryChange[] {
    const affected = new Set<string>();
    for (const key of this.#dirty.values().take(limit)) {
      this.#dirty.delete(key);
      const service = this.#services.get(key);
      const asked =
        service === undefined
          ? undefined
          : decideService(service, this.#slices.get(key)?.values() ?? [], this.#facts, this.#otherNodes);
      affected.add(key);
      this.#claim(key, asked, affected);
    }
    const changes: EntryChange[] = [];
    for (const key of affected) {
      const previous = this.#entries.get(key);
      const next = this.#granted(key);
      if (previous === next || (previous && next && printEntry(previous) === printEntry(next))) continue;
      if (next === undefined) this.#entries.delete(key);
      else this.#entries.set(key, next);
      changes.push({ service: key, previous, next });
    }
    return changes;
  }

  /** Records what a Service asks for; rivals for an address and port that it takes up or gives up become `affected`. */
  #claim(key: string, asked: ServiceEntry | undefined, affected: Set<string>): void {
    const before = this.#asked.get(key);
    if (asked === undefined) this.#asked.delete(key);
    else this.#asked.set(key, asked);
    const wanted = new Set(asked?.frontends.map(keyOf));
    for (const place of before?.frontends.map(keyOf) ?? []) {
      if (wanted.has(place)) continue;
      const rest = (this.#claims.get(place) ?? []).filter((rival) => rival !== key);
      if (rest.length === 0) this.#claims.delete(place);
      else this.#claims.set(place, rest);
      for (const rival of rest) affected.add(rival);
    }
    for (const place of wanted) {
      const claimants = this.#claims.get(place) ?? [];
      if (!claimants.includes(key)) this.#claims.set(place, [...claimants, key]);
      for (const rival of claimants) affected.add(rival);
    }
  }

  #holder(place: FrontendKey): string | undefined {
    const claimants = this.#claims.get(place) ?? [];
    if (claimants.length < 2) return claimants[0];
    const age = (key: string) => `${this.#asked.get(key)?.created} ${key}`;
    return claimants.reduce((oldest, key) => (age(key) < age(oldest) ? key : oldest));
  }

  #granted(key: string): ServiceEntry | undefined {
    const asked = this.#asked.get(key);
    if (asked === undefined) return undefined;
    const lost = asked.frontends.filter((frontend) => this.#holder(keyOf(frontend)) !== key);
    if (lost.length === 0) return asked;
    return {
      ...asked,
      frontends: asked.frontends.filter((frontend) => !lost.includes(frontend)),
      problems: [
        ...asked.problems,
        ...lost.map(
          (frontend) =>
            `${frontend.kind} ${keyOf(frontend)} belongs to the older Service ${this.#holder(keyOf(frontend))}`,
        ),
      ],
    };
  }

  #lookup(key: FrontendKey): { readonly entry: ServiceEntry; readonly frontend: Frontend } | undefined {
    const entry = this.#entries.get(this.#holder(key) ?? '');
    const frontend = entry?.frontends.find((candidate) => keyOf(candidate) === key);
    return entry === undefined || frontend === undefined ? undefined : { entry, frontend };
  }
}

/** The whole table at once: for tests, dry runs and traces of a cluster's state. */
export function buildTable(
  services: Iterable<Service>,
  slices: Iterable<EndpointSlice>,
  facts: NodeFacts,
  otherNodes: Readonly<Record<string, readonly IpAddress[]>> = {},
): ServiceTable {
  const builder = new ServiceTableBuilder(facts);
  for (const [node, addresses] of Object.entries(otherNodes)) builder.setOtherNode(node, addresses);
  const nameOf = ({ metadata }: Service | EndpointSlice) => `${metadata?.namespace}/${metadata?.name}`;
  for (const service of services) builder.setService(nameOf(service), service);
  for (const slice of slices) builder.setSlice(nameOf(slice), slice);
  builder.commit();
  return builder.table;
}

/** Every Service whose decisions differ between two tables. */
export function diffTables(previous: ServiceTable, next: ServiceTable): readonly EntryChange[] {
  const keys = new Set([...previous.services.keys(), ...next.services.keys()]);
  const changes: EntryChange[] = [];
  for (const service of keys) {
    const before = previous.services.get(service);
    const after = next.services.get(service);
    if (before === after || (before && after && printEntry(before) === printEntry(after))) continue;
    changes.push({ service, previous: before, next: after });
  }
  return changes;
}

/** The table as text, in order of Service. */
export function printTable(table: ServiceTable): string {
  return [...table.services.keys()]
    .sort()
    .map((key) => {
      const entry = table.services.get(key);
      return entry === undefined ? '' : printEntry(entry);
    })
    .join('');
}
