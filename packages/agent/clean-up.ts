import { rmSync } from 'node:fs';
import { DataPath, HostPorts, removeConflist, removeExecutable } from '#cni';
import type { Kernel } from '#kernel';
import { type Logger, systemClock } from '#runtime';
import { removeDnsLink } from './cluster-dns.ts';
import type { AgentOptions } from './options.ts';
import { agentPaths } from './paths.ts';
import { createPodNetwork } from './pod-network.ts';
import { removeServices } from './services.ts';

/** Removes what Podway made on this node, and nothing else: kernel state, the CNI configuration and executable, its own files. */
export async function cleanUpNode(
  options: AgentOptions,
  { kernel, logger }: { readonly kernel: Kernel; readonly logger: Logger },
): Promise<void> {
  using netns = kernel.currentNetns();
  const paths = agentPaths(options);
  // No new Pods first.
  removeConflist(options.cniConfDir);
  removeExecutable(options.cniBinDir);
  const { iptablesVariant } = options;
  await removeServices({ netns, clock: systemClock, logger, iptablesVariant });
  await new HostPorts(netns, options.serviceCidrs).remove();
  await createPodNetwork(options, netns, logger).remove();
  new DataPath(kernel, netns).remove();
  removeDnsLink(netns);
  const stores = ['', '-wal', '-shm'].map((suffix) => paths.store + suffix);
  for (const path of [paths.socket, paths.ranges, ...stores]) rmSync(path, { force: true });
  logger.info('removed what Podway made on this node');
}
