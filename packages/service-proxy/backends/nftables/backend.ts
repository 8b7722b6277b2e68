import { familyOf, IP_FAMILIES, type IpFamily, prefixFamily } from '#ip';
import type { NftPort } from '#kernel';
import type { ApplyReport, BackendObservation, ProxyBackend } from '../../backend.ts';
import type { FrontendKey } from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { FamilyTable } from './family-table.ts';
import { KernelTable } from './kernel-table.ts';
import { probeNft } from './probe.ts';

/** With more Services than this the whole table is never read while running: it would take too long. */
const SMALL = 500;
/** One check in so many reads the whole table, the others look at a part. */
const WHOLE_CHECK_EVERY = 15;

/** Services as elements of a few nftables maps: see README.md. */
export class NftablesBackend implements ProxyBackend {
  readonly name = 'nftables';
  readonly #nft: NftPort;
  readonly #tables: readonly FamilyTable[];
  /** Families that were in use at the last apply. */
  #used: readonly FamilyTable[] = [];
  #checks = 0;

  constructor(nft: NftPort) {
    this.#nft = nft;
    this.#tables = IP_FAMILIES.map((family) => new FamilyTable(new KernelTable(nft, family), family));
  }

  probe(): Promise<readonly string[]> {
    return probeNft(this.#nft);
  }

  async observe(): Promise<BackendObservation> {
    const frontends = new Set<FrontendKey>();
    for (const table of this.#tables) for (const key of await table.observe()) frontends.add(key);
    return { frontends };
  }

  async apply(table: ServiceTable, changed: Iterable<string>): Promise<ApplyReport> {
    const families = familiesOf(table.facts);
    const services = [...changed];
    this.#used = this.#tables.filter(({ family }) => families.has(family));
    let writes = 0;
    for (const one of this.#used) writes += await one.apply(table, services);
    return { writes };
  }

  async intact(): Promise<boolean> {
    this.#checks++;
    for (const table of this.#used) {
      const whole = table.size <= SMALL && this.#checks % WHOLE_CHECK_EVERY === 0;
      if (!(await (whole ? table.matches() : table.spotCheck()))) return false;
    }
    return true;
  }

  async cleanup(): Promise<void> {
    for (const table of this.#tables) await table.remove();
  }
}

/** The families this node takes part in. */
function familiesOf(facts: NodeFacts): ReadonlySet<IpFamily> {
  return new Set([
    ...facts.addresses.map(familyOf),
    ...[...facts.podCIDRs, ...facts.clusterCIDRs, ...facts.serviceCIDRs].map(prefixFamily),
  ]);
}
