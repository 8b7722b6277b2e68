import type { NftPort } from '#kernel';
import type { ApplyReport, BackendObservation, ProxyBackend } from '../../backend.ts';
import type { FrontendKey } from '../../table/entry.ts';
import type { ServiceTable } from '../../table/table.ts';
import { NodeTables } from '../nft/node-tables.ts';
import { probeNft } from '../nft/probe.ts';
import type { EntrySlots } from './elements.ts';
import { FEATURES } from './features.ts';
import { LAYOUT } from './layout.ts';
import { observedFrontends } from './observed.ts';

/** Services as elements of a few nftables maps: see README.md. */
export class NftablesBackend implements ProxyBackend {
  readonly name = 'nftables';
  readonly #nft: NftPort;
  readonly #tables: NodeTables<EntrySlots>;

  constructor(nft: NftPort) {
    this.#nft = nft;
    this.#tables = new NodeTables(nft, LAYOUT);
  }

  probe(): Promise<readonly string[]> {
    return probeNft(this.#nft, FEATURES);
  }

  async observe(): Promise<BackendObservation> {
    const frontends = new Set<FrontendKey>();
    for (const observed of await this.#tables.observe())
      for (const key of observedFrontends(observed)) frontends.add(key);
    return { frontends };
  }

  async apply(table: ServiceTable, changed: Iterable<string>): Promise<ApplyReport> {
    return { writes: await this.#tables.apply(table, [...changed]) };
  }

  intact(): Promise<boolean> {
    return this.#tables.intact();
  }

  cleanup(): Promise<void> {
    return this.#tables.remove();
  }

  /** Established connections go on: what conntrack has decided for them holds as long as some rule on the node translates. */
  async retire(): Promise<boolean> {
    await this.cleanup();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
