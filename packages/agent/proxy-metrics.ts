import type { Clock } from '#runtime';
import type { ProxyMechanism, ServiceProxy, SyncReport } from '#service-proxy';
import type { Page } from './http-pages.ts';
import type { Metrics } from './metrics.ts';

/** kube-proxy's (pkg/proxy/metrics/metrics.go), so that its dashboards work: 1 ms to 16 s, doubling. */
const SYNC_BUCKETS = Array.from({ length: 15 }, (_, i) => 2 ** i / 1000);
/** kube-proxy's: to 1 s by quarters, to 1 min by seconds, to 2 min by 5 s, to 5 min by 30 s. */
const PROGRAMMING_BUCKETS = [
  ...[0.25, 0.5],
  ...Array.from({ length: 59 }, (_, i) => 1 + i),
  ...Array.from({ length: 12 }, (_, i) => 60 + 5 * i),
  ...Array.from({ length: 7 }, (_, i) => 120 + 30 * i),
];

/** Counts what the proxy does: under kube-proxy's names where they mean the same. @returns what every run is told to */
export function countSyncs(
  metrics: Metrics,
  clock: Clock,
  proxy: () => Pick<ServiceProxy, 'pending' | 'table' | 'figures'> | undefined,
): (report: SyncReport) => void {
  metrics.onCollect(() => {
    const { services = 0, endpointSlices = 0, since = 0 } = proxy()?.pending ?? {};
    metrics.set(
      'kubeproxy_sync_proxy_rules_service_changes_pending',
      'Changes of Services not in the kernel yet.',
      services,
    );
    metrics.set(
      'kubeproxy_sync_proxy_rules_endpoint_changes_pending',
      'Changes of EndpointSlices not in the kernel yet.',
      endpointSlices,
    );
    metrics.set(
      'podway_service_changes_waiting_seconds',
      'How long the oldest change has been waiting for the kernel.',
      since === 0 ? 0 : (clock.now() - since) / 1000,
    );
    for (const { name, help, value } of proxy()?.figures ?? []) metrics.set(name, help, value);
    metrics.set('podway_services', 'Services that are programmed.', proxy()?.table.services.size ?? 0);
  });
  return (report) => {
    const seconds = 'From the decision to the answer of the kernel, seconds.';
    metrics.observe('kubeproxy_sync_proxy_rules_duration_seconds', seconds, SYNC_BUCKETS, report.seconds);
    const kind = report.full ? 'full' : 'partial';
    metrics.observe(
      `kubeproxy_sync_${kind}_proxy_rules_duration_seconds`,
      seconds,
      SYNC_BUCKETS,
      report.seconds,
    );
    for (const taken of report.programmingSeconds)
      metrics.observe(
        'kubeproxy_network_programming_duration_seconds',
        'From the change of a Pod, as its EndpointSlice tells, until it is in the kernel, seconds.',
        PROGRAMMING_BUCKETS,
        taken,
      );
    metrics.set(
      'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
      'When Services were last programmed, seconds since the epoch.',
      clock.now() / 1000,
    );
    metrics.add(
      'kubeproxy_sync_proxy_rules_service_changes_total',
      'Changes of Services.',
      {},
      report.serviceChanges,
    );
    metrics.add(
      'kubeproxy_sync_proxy_rules_endpoint_changes_total',
      'Changes of EndpointSlices.',
      {},
      report.endpointSliceChanges,
    );
    for (const [policy, count] of Object.entries(report.withoutLocalEndpoints))
      metrics.set(
        'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
        'Services with a policy Local and no endpoint on this node.',
        count,
        { traffic_policy: policy },
      );
    metrics.set(
      'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
      'When a run was last asked for, seconds since the epoch.',
      (report.queued ?? clock.now()) / 1000,
    );
    if (report.flowSeconds !== undefined)
      metrics.observe(
        'kubeproxy_conntrack_reconciler_sync_duration_seconds',
        'What looking for flows to delete takes, seconds.',
        SYNC_BUCKETS,
        report.flowSeconds,
      );
    metrics.add(
      'kubeproxy_conntrack_reconciler_deleted_entries_total',
      'Flows deleted because what they went to is gone.',
      {},
      report.deletedFlows,
    );
    metrics.add('podway_service_writes_total', 'Kernel objects written for Services.', {}, report.writes);
  };
}

/** kube-proxy's, where it has the mechanism. */
const FAILURES: Readonly<Partial<Record<ProxyMechanism, string>>> = {
  nftables: 'kubeproxy_sync_proxy_rules_nftables_sync_failures_total',
  iptables: 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total',
};

/** And says which mechanism it is. @returns what is to be called when the kernel did not take a change */
export function countFailures(metrics: Metrics, mechanism: ProxyMechanism | 'none'): () => void {
  metrics.set('podway_service_mechanism', 'What carries Services here.', 1, { mechanism });
  const name = (mechanism === 'none' ? undefined : FAILURES[mechanism]) ?? 'podway_service_failures_total';
  const count = (amount: number) =>
    metrics.add(name, 'Runs that the kernel did not take; each is tried again.', {}, amount);
  count(0);
  return () => count(1);
}

/** Counts the page's answers by their status. @param name `healthz`, `livez` */
export function countAnswers(metrics: Metrics, name: string, page: () => Page): () => Page {
  return () => {
    const answer = page();
    metrics.add(`kubeproxy_proxy_${name}_total`, `Answers of /${name}.`, { code: String(answer.status) });
    return answer;
  };
}
