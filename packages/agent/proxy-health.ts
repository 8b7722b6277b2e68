import type { Node } from '#kube-api';
import type { Clock } from '#runtime';
import type { ServiceProxy } from '#service-proxy';
import type { Page } from './http-pages.ts';

/** A change that has waited so long will not come through: kube-proxy's two sync periods. */
const PATIENCE_MS = 60_000;
/** On a node that the cluster autoscaler is about to delete. */
const LEAVING_TAINT = 'ToBeDeletedByClusterAutoscaler';

/**
 * What load balancers ask port 10256 (kube-proxy's pkg/proxy/healthcheck/proxy_health.go, KEP-3836). `/livez`: whether the proxy keeps up;
 * `/healthz`: and whether the node takes new connections. Other than kube-proxy it is unhealthy until Services are programmed.
 */
export function proxyHealth(
  proxy: () => Pick<ServiceProxy, 'lastUpdated' | 'pending'> | undefined,
  node: () => Node | undefined,
  clock: Clock,
) {
  const isHealthy = (): boolean => {
    const running = proxy();
    if (running === undefined) return true;
    const { lastUpdated, pending } = running;
    return lastUpdated !== undefined && clock.now() - (pending.since ?? clock.now()) < PATIENCE_MS;
  };
  const isEligible = (): boolean => {
    const { metadata, spec } = node() ?? {};
    return (
      metadata?.deletionTimestamp === undefined &&
      !(spec?.taints ?? []).some(({ key }) => key === LEAVING_TAINT)
    );
  };
  const page = (fine: boolean): Page => {
    const now = clock.now();
    const running = proxy();
    // While nothing waits, what is in the kernel is current.
    const updated = isHealthy() && running?.pending.since === undefined ? now : (running?.lastUpdated ?? 0);
    const body = {
      lastUpdated: new Date(updated).toISOString(),
      currentTime: new Date(now).toISOString(),
      nodeEligible: isEligible(),
    };
    return { status: fine ? 200 : 503, body: JSON.stringify(body) };
  };
  return {
    isHealthy,
    livez: () => page(isHealthy()),
    healthz: () => page(isHealthy() && isEligible()),
  };
}
