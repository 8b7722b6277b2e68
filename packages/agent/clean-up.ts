import { rmSync } from 'node:fs';
import { DataPath, HostPorts, removeConflist, removeExecutable } from '#cni';
import type { Kernel } from '#kernel';
import type { Logger } from '#runtime';
import { NftablesBackend } from '#service-proxy';
import { removeDnsLink } from './cluster-dns.ts';
import { type AgentOptions, agentPaths } from './options.ts';
import { createPodNetwork } from './pod-network.ts';

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
  await new NftablesBackend(netns.nft).cleanup();
  await new HostPorts(netns).remove();
  await createPodNetwork(options, netns, logger).remove();
  new DataPath(kernel, netns).remove();
  removeDnsLink(netns);
  const stores = ['', '-wal', '-shm'].map((suffix) => paths.store + suffix);
  for (const path of [paths.socket, paths.ranges, ...stores]) rmSync(path, { force: true });
  logger.info('removed what Podway made on this node');
}
