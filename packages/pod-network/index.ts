export type { PodNetworkBackend } from './backend.ts';
export { type ClusterNode, podCidrTexts, readClusterNode } from './cluster-node.ts';
export { diffRoutes, formatOperation, type RouteOperation } from './diff.ts';
export { hostGw } from './host-gw.ts';
export { MASQUERADE_TABLE, type Masquerade, planMasquerade, renderMasquerade } from './masquerade.ts';
export { formatPlan, formatRoute, type NetworkPlan, type PlannedRoute } from './plan.ts';
export {
  PodNetwork,
  type PodNetworkDeps,
  type PodNetworkOptions,
  type Reconciled,
} from './pod-network.ts';
export type { NodeProblem, ProblemReason } from './problem.ts';
export type { Attachment, NetworkView } from './view.ts';
