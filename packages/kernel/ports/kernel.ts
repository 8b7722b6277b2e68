import type { NetworkNamespace } from './namespace.ts';

/**
 * What Podway asks of the Linux network stack, in the words of its callers: a file here for each subject. Two adapters,
 * with a file of the same name for each: `linux/` (netlink through koffi, in process) and `fake/` (pure, rejects what
 * Linux rejects). One conformance suite runs on both.
 *
 * A {@link NetworkNamespace} holds netlink sockets that were opened inside the namespace, and they go on working there
 * whatever namespace the thread is in; so its calls are short and synchronous, but for what is long or waits: whole
 * tables of nft, iptables and connections, and a link's end.
 *
 * Every failed call throws a KernelError with the errno name (`EEXIST`, `ENODEV`, …), the operation and its object.
 */
export interface Kernel {
  /** The namespace this process is in. */
  currentNetns(): NetworkNamespace;
  /** @param path of an nsfs file: `/run/netns/x`, `/proc/123/ns/net`. `ENOENT` when there is none */
  openNetns(path: string): NetworkNamespace;
  /** Makes a namespace and pins it at `path` (parents are created); `EEXIST` when something is mounted there. */
  createNetns(path: string): NetworkNamespace;
  /** Unpins; the namespace ends when its last user does. Nothing there is not an error. */
  deleteNetns(path: string): void;
}
