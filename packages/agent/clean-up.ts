import { rmSync } from 'node:fs';
import { DataPath, removeConflist, removeExecutable, removeHostPorts } from '#cni';
import type { Kernel } from '#kernel';
import { removePodNetwork } from '#pod-network';
import { type Logger, systemClock } from '#runtime';
import { removeDnsLink } from './cluster-dns.ts';
import type { CleanUpOptions } from './options.ts';
import { agentPaths } from './paths.ts';
import { removeServices } from './services.ts';

/** Removes what Podway made on this node, and nothing else: kernel state, the CNI configuration and executable, its own files. */
export async function cleanUpNode(
  options: CleanUpOptions,
  { kernel, logger }: { readonly kernel: Kernel; readonly logger: Logger },
): Promise<void> {
  using netns = kernel.currentNetns();
  const paths = agentPaths(options);
  // No new Pods first.
  removeConflist(options.cniConfDir);
  removeExecutable(options.cniBinDir);
  await removeServices({ netns, clock: systemClock, logger });
  await removeHostPorts(netns);
  await removePodNetwork(netns);
  new DataPath(kernel, netns).remove();
  removeDnsLink(netns);
  const stores = ['', '-wal', '-shm'].map((suffix) => paths.store + suffix);
  for (const path of [paths.socket, paths.ranges, ...stores]) rmSync(path, { force: true });
  logger.info('removed what Podway made on this node');
}
