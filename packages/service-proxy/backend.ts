import type { ConntrackEntry } from '#kernel';
import type { FrontendKey } from './table/entry.ts';
import type { ServiceTable } from './table/table.ts';

/**
 * A mechanism that carries Services. It holds no decision: those are all in the {@link ServiceTable}. Calls never overlap.
 * Disposing ends what lives in this process (timers, relays); what is in the kernel stays and serves.
 */
export interface ProxyBackend extends AsyncDisposable {
  readonly name: string;
  /** Numbers that only this mechanism has, for whoever watches it: asked at each look at the metrics, so cheap. */
  readonly figures?: () => readonly BackendFigure[];
  /** Whether a conntrack entry leads to the mechanism itself (a relay), which then answers for where it goes on. undefined: none does. */
  readonly ownsFlow?: (flow: ConntrackEntry) => boolean;
  /** What this machine lacks for the mechanism, in plain words; empty when it can work. Leaves nothing behind. */
  probe(): Promise<readonly string[]>;
  /**
   * Reads what an earlier life (or anyone else) left in the kernel. The next {@link apply} writes the difference from that: nothing,
   * when nothing has changed.
   */
  observe(): Promise<BackendObservation>;
  /**
   * Makes the kernel do what the table says. `changed` names the Services that differ since the last successful call; the
   * first call after {@link observe} looks at all of them. A failed call leaves the old state in force and can be repeated.
   */
  apply(table: ServiceTable, changed: Iterable<string>): Promise<ApplyReport>;
  /** Whether what is in the kernel is still ours: cheap enough to ask every few seconds. After "no", {@link observe} and apply. */
  intact(): Promise<boolean>;
  /** Removes everything this mechanism ever writes, and nothing else. Nothing there, or no such mechanism here, is not an error. */
  cleanup(): Promise<void>;
  /**
   * {@link cleanup} for the sake of another mechanism that serves already: established connections may be carried to their end.
   * @param successor that mechanism
   * @returns whether nothing is left; else it is called again
   */
  retire(successor: Pick<ProxyBackend, 'name' | 'ownsFlow'>): Promise<boolean>;
}

export interface BackendFigure {
  /** As Prometheus wants it, `podway_ipvs_virtual_servers`: a gauge. */
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

export interface BackendObservation {
  /** What was answered until now. */
  readonly frontends: ReadonlySet<FrontendKey>;
}

export interface ApplyReport {
  /** Kernel objects added, changed or deleted. */
  readonly writes: number;
}
