import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hostInUrl } from '#ip';
import { type AddressPlan, addressPlans, CLUSTER_DOMAIN } from './addresses.ts';
import { nodeKubeconfigPath } from './credentials.ts';
import type { LabOptions } from './options.ts';
import { type LabPaths, nodeDirectory } from './paths.ts';

/** Where a node keeps what, inside the lab. */
export interface NodePaths {
  readonly directory: string;
  readonly kubeconfig: string;
  readonly state: string;
  readonly cniConf: string;
  readonly cniBin: string;
}

export function nodePaths(node: string): NodePaths {
  const directory = nodeDirectory(node);
  return {
    directory,
    kubeconfig: join(directory, 'kubeconfig'),
    state: join(directory, 'state'),
    cniConf: join(directory, 'cni', 'net.d'),
    cniBin: join(directory, 'cni', 'bin'),
  };
}

/** Makes the node's directories and gives it its kubeconfig. */
export function prepareNode(node: string, lab: Pick<LabPaths, 'pki'>): NodePaths {
  const paths = nodePaths(node);
  for (const directory of [paths.state, paths.cniConf, paths.cniBin])
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  copyFileSync(nodeKubeconfigPath(lab, node), paths.kubeconfig);
  return paths;
}

/**
 * The young generation grows to 16 MiB otherwise, and stays: 1 MiB saves an idle agent 4 of 31 MiB (its own, unshared
 * memory), and costs it a scavenge of a fraction of a millisecond more often.
 */
const AGENT_NODE_FLAGS = ['--max-semi-space-size=1'];

/** Where an agent says how it is, on every address. */
export const HEALTH_PORT = 10256;

/** The agent's command line; ARCHITECTURE.md has the flags. */
export function agentCommand(
  [node = '', ...entry]: readonly string[],
  nodeName: string,
  options: Pick<LabOptions, 'podNetwork' | 'proxy' | 'ipFamily'>,
): readonly string[] {
  const plans = addressPlans(options.ipFamily);
  const list = (part: (plan: AddressPlan) => string) => plans.map(part).join(',');
  const paths = nodePaths(nodeName);
  return [
    node,
    ...AGENT_NODE_FLAGS,
    ...entry,
    'agent',
    ...['--node-name', nodeName],
    ...['--kubeconfig', paths.kubeconfig],
    ...['--cluster-cidr', list(({ clusterCidr }) => clusterCidr)],
    ...['--service-cidr', list(({ serviceCidr }) => serviceCidr)],
    ...['--cluster-dns', plans[0].clusterDns],
    ...['--cluster-domain', CLUSTER_DOMAIN],
    ...['--run-dir', paths.directory],
    ...['--state-dir', paths.state],
    ...['--cni-conf-dir', paths.cniConf],
    ...['--cni-bin-dir', paths.cniBin],
    ...['--pod-network', options.podNetwork],
    ...['--proxy', options.proxy],
    ...['--health-address', `${hostInUrl(plans[0].family === 'IPv4' ? '0.0.0.0' : '::')}:${HEALTH_PORT}`],
  ];
}
