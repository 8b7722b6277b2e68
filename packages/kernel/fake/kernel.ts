import { KernelError } from '../errors.ts';
import type { Kernel } from '../ports/kernel.ts';
import { FakeNamespace } from './namespace.ts';
import { NamespaceState } from './state.ts';

/** {@link Kernel} whose namespaces let tests look inside and put conntrack entries and IPVS connections in. */
export interface FakeKernel extends Kernel {
  currentNetns(): FakeNamespace;
  openNetns(path: string): FakeNamespace;
  createNetns(path: string): FakeNamespace;
}

/**
 * A kernel in memory: no privileges, no traffic. It keeps several namespaces and rejects what Linux rejects, as the
 * conformance suite shows. Not modelled: packets, automatic link-local addresses, neighbour discovery, routing rules,
 * multipath; nft is described at FakeNft.
 */
export function fakeKernel(): FakeKernel {
  let nextInode = 4026531840;
  const home = new NamespaceState(nextInode++);
  home.users = 1;
  const pinned = new Map<string, NamespaceState>();
  const fail = (errno: string, operation: string, path: string) =>
    new KernelError({ errno, operation: `${operation} network namespace`, object: path });
  return {
    currentNetns: () => new FakeNamespace(home),
    openNetns(path) {
      const state = pinned.get(path);
      if (state === undefined) throw fail('ENOENT', 'open', path);
      return new FakeNamespace(state);
    },
    createNetns(path) {
      if (pinned.has(path)) throw fail('EEXIST', 'pin', path);
      const state = new NamespaceState(nextInode++);
      state.users = 1;
      pinned.set(path, state);
      return new FakeNamespace(state);
    },
    deleteNetns(path) {
      const state = pinned.get(path);
      pinned.delete(path);
      state?.release();
    },
  };
}
