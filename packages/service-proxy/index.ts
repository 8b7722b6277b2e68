export type { ProxyBackend } from './backend.ts';
export {
  VARIANT_CHOICES as IPTABLES_VARIANT_CHOICES,
  type VariantChoice as IptablesVariantChoice,
} from './backends/iptables/variant.ts';
export { DEFAULT_IPVS_OPTIONS, type IpvsOptions } from './backends/ipvs/options.ts';
export { VIP_LINK } from './backends/ipvs/virtual-addresses.ts';
export {
  createBackend,
  type MechanismDeps,
  otherMechanisms,
  PROXY_MECHANISMS,
  type ProxyMechanism,
} from './backends/mechanisms.ts';
export { HealthCheckServers } from './health-checks.ts';
export type { Pending } from './pending-changes.ts';
export { createServiceProxy, type ServiceProxy } from './proxy.ts';
export { type SyncReport, TRIGGER_TIME_ANNOTATION } from './sync-report.ts';
export { frontendKey } from './table/entry.ts';
export {
  type NodePortAddressOption,
  nodePortAddresses,
  parseNodePortAddressOption,
  selectsLoopback,
} from './table/facts.ts';
export { IPVS_SCHEDULERS } from './table/ipvs-preferences.ts';
export { buildTable, printTable } from './table/table.ts';
export { observedRules } from './walker/observed.ts';
export { printWalk } from './walker/print.ts';
export { walk } from './walker/walk.ts';
