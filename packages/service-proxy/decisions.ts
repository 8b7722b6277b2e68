import type { IpFamily } from '#ip';
import { type Logger, otherWork } from '#runtime';
import type { StaleFlowSweep } from './conntrack/stale-flow-sweep.ts';
import { type LocalCount, withoutLocalEndpoints } from './sync-report.ts';
import { familiesOf } from './table/facts.ts';
import type { EntryChange, ServiceTableBuilder } from './table/table.ts';

/** Services that are decided between other work: some milliseconds. */
const DECIDED_AT_ONCE = 100;

/** What has been decided, and which of it the backend has not taken yet. Says in the log what cannot be served. */
export class Decisions {
  readonly #builder: ServiceTableBuilder;
  readonly #flows: StaleFlowSweep;
  readonly #logger: Logger;
  readonly #changed = new Set<string>();
  #withoutLocal: LocalCount = { internal: 0, external: 0 };
  /** Families that Services have and this node has not, as the log has it. */
  readonly #missed = new Set<IpFamily>();

  constructor(builder: ServiceTableBuilder, flows: StaleFlowSweep, logger: Logger) {
    this.#builder = builder;
    this.#flows = flows;
    this.#logger = logger;
  }

  /** Services whose decisions differ from what the backend last took. */
  get changed(): readonly string[] {
    return [...this.#changed];
  }

  get withoutLocal(): LocalCount {
    return this.#withoutLocal;
  }

  /** Decides all that is due. What comes meanwhile is decided with it, so that the table is of one time. */
  async decide(): Promise<void> {
    for (const family of familiesOf(this.#builder.table.facts)) this.#missed.delete(family);
    while (this.#builder.due > 0) {
      for (const change of this.#builder.commit(DECIDED_AT_ONCE)) this.#note(change);
      if (this.#builder.due > 0) await otherWork();
    }
  }

  /** The backend has taken what was decided about these. */
  taken(services: Iterable<string>): void {
    for (const service of services) this.#changed.delete(service);
  }

  #note(change: EntryChange): void {
    this.#changed.add(change.service);
    this.#flows.note(change);
    this.#count(change);
    for (const family of change.next?.missingFamilies ?? []) this.#miss(family, change.service);
    for (const problem of change.next?.problems ?? [])
      if (!change.previous?.problems.includes(problem))
        this.#logger.warn('part of a Service cannot be used', { service: change.service, problem });
  }

  #count({ previous, next }: EntryChange): void {
    const { internal, external } = this.#withoutLocal;
    const before = withoutLocalEndpoints(previous);
    const after = withoutLocalEndpoints(next);
    this.#withoutLocal = {
      internal: internal + after.internal - before.internal,
      external: external + after.external - before.external,
    };
  }

  /** Once for all Services: in a cluster of both families they may be many. */
  #miss(family: IpFamily, firstService: string): void {
    if (this.#missed.has(family)) return;
    this.#missed.add(family);
    const message = `this node has no ${family}: Services’ addresses of that family do not answer here`;
    this.#logger.warn(message, { firstService });
  }
}
