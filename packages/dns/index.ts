export { runDns } from './program/run-dns.ts';
export { podResolvConf } from './resolv-conf.ts';
export { createDnsServer, type DnsServer } from './server/dns-server.ts';
export { type InheritedSocket, takeInheritedSockets } from './server/inherited-sockets.ts';
export { formatMetrics } from './server/metrics.ts';
