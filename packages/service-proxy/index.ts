export type { ApplyReport, BackendObservation, ProxyBackend } from './backend.ts';
export { NftablesBackend } from './backends/nftables/backend.ts';
export { type HealthCheck, HealthCheckServers, type HealthChecks } from './health-checks.ts';
export type { NodeSettings } from './node-facts.ts';
export {
  createServiceProxy,
  type ServiceProxy,
  type ServiceProxyDeps,
  type ServiceProxyOptions,
} from './proxy.ts';
export type { SyncReport } from './sync-report.ts';
export {
  type Endpoint,
  type Frontend,
  type FrontendKey,
  type FrontendKind,
  frontendKey,
  type Masquerade,
  type Protocol,
  type ServiceEntry,
  type Target,
} from './table/entry.ts';
export {
  type NodeFacts,
  type NodePortAddressOption,
  nodePortAddresses,
  parseNodePortAddressOption,
} from './table/facts.ts';
export { printEntry, printFrontend } from './table/print.ts';
export {
  buildTable,
  diffTables,
  type EntryChange,
  printTable,
  type ServiceTable,
  ServiceTableBuilder,
} from './table/table.ts';
export { observedRules } from './walker/observed.ts';
export { type WalkRules, walkRules } from './walker/rules.ts';
export { type WalkHost, type WalkPacket, type WalkResult, type WalkStep, walk } from './walker/walk.ts';
