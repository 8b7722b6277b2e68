import type { FrontendKey } from './table/entry.ts';
import type { ServiceTable } from './table/table.ts';

/**
 * A mechanism that carries Services. It holds no decision: those are all in the {@link ServiceTable}. Calls never overlap.
 */
export interface ProxyBackend {
  readonly name: string;
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
  /** Removes everything this mechanism ever writes, and nothing else. Nothing there is not an error. */
  cleanup(): Promise<void>;
}

export interface BackendObservation {
  /** What was answered until now. */
  readonly frontends: ReadonlySet<FrontendKey>;
}

export interface ApplyReport {
  /** Kernel objects added, changed or deleted. */
  readonly writes: number;
}
