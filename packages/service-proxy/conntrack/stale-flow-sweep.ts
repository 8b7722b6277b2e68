import type { ConntrackPort } from '#kernel';
import type { ProxyBackend } from '../backend.ts';
import type { FrontendKey } from '../table/entry.ts';
import type { EntryChange, ServiceTable } from '../table/table.ts';
import { canStrandFlows, FLOW_PROTOCOLS, goneFrontends, staleFlows } from './stale-flows.ts';

/**
 * Deletes the flows that changes have stranded, and looks at conntrack only after changes that can. A sweep comes after the
 * changes are in force: deleted before, a flow would be made anew as it was.
 */
export class StaleFlowSweep {
  readonly #conntrack: ConntrackPort;
  readonly #backend: Pick<ProxyBackend, 'ownsFlow'>;
  /** Frontends that are answered no longer and whose flows have not been looked at. */
  readonly #gone = new Set<FrontendKey>();
  /** At first for what happened while nobody looked. */
  #isDue = true;

  constructor(conntrack: ConntrackPort, backend: Pick<ProxyBackend, 'ownsFlow'>) {
    this.#conntrack = conntrack;
    this.#backend = backend;
  }

  get isDue(): boolean {
    return this.#isDue;
  }

  /** What was answered before this life; what of it still is does not matter. */
  noteFormer(frontends: Iterable<FrontendKey>): void {
    for (const key of frontends) this.#gone.add(key);
    this.#isDue = true;
  }

  note(change: EntryChange): void {
    for (const key of goneFrontends(change)) this.#gone.add(key);
    this.#isDue ||= canStrandFlows(change);
  }

  /**
   * @param table the decisions in force
   * @returns how many flows were deleted
   * @throws KernelError; the sweep is still due then
   */
  async run(table: ServiceTable): Promise<number> {
    if (!this.#isDue) return 0;
    let deleted = 0;
    for (const protocol of FLOW_PROTOCOLS)
      for (const entry of staleFlows(await this.#conntrack.list({ protocol }), table, this.#gone)) {
        if (this.#backend.ownsFlow?.(entry)) continue;
        this.#conntrack.delete(entry);
        deleted++;
      }
    this.#gone.clear();
    this.#isDue = false;
    return deleted;
  }
}
