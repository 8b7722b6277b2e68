import type { ServiceEntry } from './table/entry.ts';

/** What one run of the proxy did, for metrics. */
export interface SyncReport {
  /** From the decision to the kernel's answer, seconds. */
  readonly seconds: number;
  /** Everything was compared, as after a start, and not only what changed. */
  readonly full: boolean;
  readonly changedServices: number;
  /** Changes of objects since the run before. */
  readonly serviceChanges: number;
  readonly endpointSliceChanges: number;
  readonly writes: number;
  readonly deletedFlows: number;
  /** What looking for flows to delete took; undefined: there was no need. */
  readonly flowSeconds: number | undefined;
  /** When the oldest of the changes came, milliseconds since the epoch; undefined: it was no change that asked for the run. */
  readonly queued: number | undefined;
  /**
   * Seconds from the change of each EndpointSlice's Pods (annotation `endpoints.kubernetes.io/last-change-trigger-time`) until now: kube-proxy's
   * network_programming_duration_seconds.
   */
  readonly programmingSeconds: readonly number[];
  /** Services whose policy `Local` finds no endpoint here although there are some. */
  readonly withoutLocalEndpoints: LocalCount;
}

export interface LocalCount {
  readonly internal: number;
  readonly external: number;
}

/** What the Service counts for in {@link SyncReport.withoutLocalEndpoints}. */
export function withoutLocalEndpoints(entry: ServiceEntry | undefined): LocalCount {
  const frontends = entry?.frontends ?? [];
  return {
    internal: Number(frontends.some(({ target }) => target.kind === 'drop')),
    external: Number(frontends.some(({ outside }) => outside?.kind === 'drop')),
  };
}

export const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';
