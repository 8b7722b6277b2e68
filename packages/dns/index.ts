export { nodeResolvers } from './program/node-resolvers.ts';
export { runDns } from './program/run-dns.ts';
export { slimNamespace, slimPod } from './program/slim.ts';
export type { PodRecords } from './records/cluster-zone.ts';
export { podResolvConf } from './resolv-conf.ts';
export { createDnsServer, type DnsServer } from './server/dns-server.ts';
export { type InheritedSocket, takeInheritedSockets } from './server/inherited-sockets.ts';
export { formatMetrics } from './server/metrics.ts';
