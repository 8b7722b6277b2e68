export { runDns } from './program/run-dns.ts';
export type { PodRecords } from './records/cluster-zone.ts';
export { type HostEntry, parseHosts } from './records/host-entries.ts';
export {
  type DnsPolicy,
  type PodDnsConfig,
  type PodResolvConf,
  parseResolvConf,
  podResolvConf,
  type ResolvConf,
  type ResolvConfContext,
} from './resolv-conf.ts';
export type { ClientLimits } from './server/client-limiter.ts';
export { createDnsServer, type DnsServer, type DnsServerOptions } from './server/dns-server.ts';
export { formatMetrics, type MetricFamily, type MetricSample } from './server/metrics.ts';
export type { ListenAddress } from './server/udp-listener.ts';
export { parseUpstream } from './upstream/address.ts';
export type { ForwardPolicy } from './upstream/forwarder.ts';
