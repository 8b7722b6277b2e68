import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '#runtime';
import { Metrics } from './metrics.ts';
import { countAnswers, countFailures, countSyncs } from './proxy-metrics.ts';

const samples = (metrics: Metrics) =>
  metrics
    .format()
    .split('\n')
    .filter((line) => /^(kubeproxy|podway)_/.test(line) && !line.includes('_bucket'))
    .map((line) => line.replace(/ \d{10}(\.\d+)?$/, ' now'));

describe('proxy metrics', () => {
  test('countSyncs: every number under the name that kube-proxy gives it', () => {
    const metrics = new Metrics();
    const proxy = { pending: { services: 2, endpointSlices: 3, triggerTimes: [], since: undefined } };
    const table = { services: new Map([['default/web', {}]]) };
    const figures = [{ name: 'podway_ipvs_virtual_servers', help: 'In the kernel.', value: 5 }];
    const onSync = countSyncs(metrics, systemClock, () => ({ ...proxy, table, figures }) as never);
    const report = {
      ...{ seconds: 0.25, full: false, changedServices: 1, serviceChanges: 1, endpointSliceChanges: 4 },
      ...{ writes: 7, deletedFlows: 2, flowSeconds: 0.5, queued: undefined, programmingSeconds: [1.5] },
      withoutLocalEndpoints: { internal: 1, external: 2 },
    };
    onSync({ ...report, full: true });
    onSync({ ...report, flowSeconds: undefined });
    assert.deepEqual(samples(metrics).sort(), [
      'kubeproxy_conntrack_reconciler_deleted_entries_total 4',
      'kubeproxy_conntrack_reconciler_sync_duration_seconds_count 1',
      'kubeproxy_conntrack_reconciler_sync_duration_seconds_sum 0.5',
      'kubeproxy_network_programming_duration_seconds_count 2',
      'kubeproxy_network_programming_duration_seconds_sum 3',
      'kubeproxy_sync_full_proxy_rules_duration_seconds_count 1',
      'kubeproxy_sync_full_proxy_rules_duration_seconds_sum 0.25',
      'kubeproxy_sync_partial_proxy_rules_duration_seconds_count 1',
      'kubeproxy_sync_partial_proxy_rules_duration_seconds_sum 0.25',
      'kubeproxy_sync_proxy_rules_duration_seconds_count 2',
      'kubeproxy_sync_proxy_rules_duration_seconds_sum 0.5',
      'kubeproxy_sync_proxy_rules_endpoint_changes_pending 3',
      'kubeproxy_sync_proxy_rules_endpoint_changes_total 8',
      'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds now',
      'kubeproxy_sync_proxy_rules_last_timestamp_seconds now',
      'kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="external"} 2',
      'kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal"} 1',
      'kubeproxy_sync_proxy_rules_service_changes_pending 2',
      'kubeproxy_sync_proxy_rules_service_changes_total 2',
      'podway_ipvs_virtual_servers 5',
      'podway_service_changes_waiting_seconds 0',
      'podway_service_writes_total 14',
      'podway_services 1',
    ]);
  });

  test('countFailures and countAnswers: from 0 on, by mechanism and by status', () => {
    const metrics = new Metrics();
    const failed = countFailures(metrics, 'nftables');
    const page = countAnswers(metrics, 'livez', () => ({ status: 503, body: '' }));
    const mechanism = 'podway_service_mechanism{mechanism="nftables"} 1';
    assert.deepEqual(samples(metrics), [
      mechanism,
      'kubeproxy_sync_proxy_rules_nftables_sync_failures_total 0',
    ]);
    failed();
    assert.equal(page().status, 503);
    assert.deepEqual(samples(metrics), [
      mechanism,
      'kubeproxy_sync_proxy_rules_nftables_sync_failures_total 1',
      'kubeproxy_proxy_livez_total{code="503"} 1',
    ]);
  });
});
