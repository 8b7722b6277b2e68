export { LAB_IP_FAMILIES } from './addresses.ts';
export { labDown } from './down.ts';
export { execCommand } from './lab-exec.ts';
export {
  type LabStatus,
  type LabSummary,
  labNames,
  labStatus,
  nameFlag,
  noSuchLab,
  summarizeLab,
} from './lab-status.ts';
export {
  DEFAULT_LAB_NAME,
  DEFAULT_LAB_OPTIONS,
  type LabOptions,
  POD_NETWORKS,
  PROXIES,
  parseLabName,
  parseNodeCount,
} from './options.ts';
export { type LabPaths, labPaths, labsDirectory, logPath } from './paths.ts';
export { processStartedAt } from './process-identity.ts';
/** The supervisor carries kubelets and kernel with it: loaded by who runs one. */
export const loadSupervisor = () => import('./supervisor.ts');
export { formatTopologyOperation, planTopology } from './topology.ts';
export { labUp, type UpResult } from './up.ts';
