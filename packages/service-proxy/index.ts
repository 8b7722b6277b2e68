export { NftablesBackend } from './backends/nftables/backend.ts';
export { HealthCheckServers } from './health-checks.ts';
export { createServiceProxy } from './proxy.ts';
export type { SyncReport } from './sync-report.ts';
export { frontendKey } from './table/entry.ts';
export { nodePortAddresses, parseNodePortAddressOption } from './table/facts.ts';
export { buildTable, printTable } from './table/table.ts';
export { observedRules } from './walker/observed.ts';
export { walk } from './walker/walk.ts';
