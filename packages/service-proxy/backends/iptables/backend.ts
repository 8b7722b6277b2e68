import { IP_FAMILIES } from '#ip';
import type { IptablesPort, IptablesVariant, NftPort } from '#kernel';
import { PodwayError } from '#runtime';
import type { ApplyReport, BackendObservation, ProxyBackend } from '../../backend.ts';
import type { FrontendKey } from '../../table/entry.ts';
import { familiesOf } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { FamilyRules } from './family-rules.ts';
import { probeIptables } from './probe.ts';
import { chooseVariant, type VariantChoice } from './variant.ts';

/** After all rules were read, so many Services are spared for as many checks as follow: reading costs a few percent of the time at most. */
const SERVICES_A_CHECK = 200;
/** And at least so many, where nothing says whether anything has changed. */
const BLIND_PAUSE = 15;

const NOT_INSTALLED = 'iptables is not installed (package iptables, 1.8 or newer)';

class IptablesMissingError extends PodwayError {
  readonly code = 'IptablesMissing';
  constructor() {
    super(NOT_INSTALLED);
  }
}

/** Services as chains of iptables: see README.md. */
export class IptablesBackend implements ProxyBackend {
  readonly name = 'iptables';
  readonly #iptables: IptablesPort;
  readonly #nft: Pick<NftPort, 'generation'>;
  readonly #choice: VariantChoice;
  #variant: IptablesVariant | undefined;
  #families: readonly FamilyRules[] = [];
  /** Families that were in use at the last apply. */
  #used: readonly FamilyRules[] = [];
  /** Variant nft: the generation of the kernel's rules that our own writes explain; undefined: someone else's may be among them. */
  #explained: number | undefined;
  /** Checks until all rules may be read again. */
  #pause = 0;

  constructor(iptables: IptablesPort, nft: Pick<NftPort, 'generation'>, choice: VariantChoice = 'auto') {
    this.#iptables = iptables;
    this.#nft = nft;
    this.#choice = choice;
  }

  async probe(): Promise<readonly string[]> {
    const variant = await this.#choose();
    if (variant !== undefined) return probeIptables(this.#iptables, variant);
    return [this.#choice === 'auto' ? NOT_INSTALLED : `iptables-${this.#choice}-restore is not installed`];
  }

  async observe(): Promise<BackendObservation> {
    const frontends = new Set<FrontendKey>();
    await this.#choose();
    this.#explained = this.#generation();
    for (const family of this.#families) for (const key of await family.observe()) frontends.add(key);
    return { frontends };
  }

  async apply(table: ServiceTable, changed: Iterable<string>): Promise<ApplyReport> {
    if ((await this.#choose()) === undefined) throw new IptablesMissingError();
    const families = familiesOf(table.facts);
    const services = [...changed];
    this.#used = this.#families.filter(({ family }) => families.has(family));
    const before = this.#generation();
    let writes = 0;
    let transactions = 0;
    for (const family of this.#used) {
      const report = await family.apply(table, services);
      writes += report.writes;
      transactions += report.transactions;
    }
    const after = this.#generation();
    const ours =
      before !== undefined && this.#explained === before && after === (before + transactions) >>> 0;
    this.#explained = ours ? after : undefined;
    return { writes };
  }

  async intact(): Promise<boolean> {
    if (this.#pause > 0) this.#pause--;
    const generation = this.#generation();
    if (generation !== undefined && generation === this.#explained) return true;
    for (const family of this.#used) if (!(await family.isReached())) return false;
    if (this.#pause > 0) return true;
    this.#explained = this.#generation();
    for (const family of this.#used) if (!(await family.matches())) return false;
    const services = Math.max(0, ...this.#used.map(({ size }) => size));
    this.#pause = Math.max(this.#variant === 'nft' ? 0 : BLIND_PAUSE, Math.ceil(services / SERVICES_A_CHECK));
    return true;
  }

  /** In every variant: an earlier life may have used another one. */
  async cleanup(): Promise<void> {
    await this.#choose();
    for (const variant of this.#iptables.variants())
      for (const family of variant === this.#variant ? this.#families : this.#rules(variant))
        await family.remove();
  }

  /** Established connections go on: what conntrack has decided for them holds as long as anybody's nat chain is there. */
  async retire(): Promise<boolean> {
    await this.cleanup();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #choose(): Promise<IptablesVariant | undefined> {
    if (this.#variant !== undefined) return this.#variant;
    this.#variant = await chooseVariant(this.#iptables, this.#choice);
    if (this.#variant !== undefined) this.#families = this.#rules(this.#variant);
    return this.#variant;
  }

  #rules(variant: IptablesVariant): readonly FamilyRules[] {
    return IP_FAMILIES.map(
      (family) => new FamilyRules(this.#iptables, variant, family, this.#choice === variant),
    );
  }

  /** undefined: ip_tables has none. */
  #generation(): number | undefined {
    return this.#variant === 'nft' ? this.#nft.generation() : undefined;
  }
}
