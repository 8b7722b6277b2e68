import { KernelError } from '../errors.ts';
import type { NetworkEvent, NetworkEventKind } from '../ports/monitor.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { FakeAddresses } from './addresses.ts';
import { FakeConntrack } from './conntrack.ts';
import { FakeIptables } from './iptables.ts';
import { FakeIpvs } from './ipvs.ts';
import { FakeLinks } from './links.ts';
import { FakeFdb, FakeNeighbours } from './neighbours.ts';
import { FakeNft } from './nft.ts';
import { FakeRoutes } from './routes.ts';
import { FakeShaping } from './shaping.ts';
import type { NamespaceState } from './state.ts';
import { FakeSysctl } from './sysctl.ts';

/** A handle on a namespace of the fake kernel. */
export class FakeNamespace implements NetworkNamespace {
  readonly state: NamespaceState;
  readonly links: FakeLinks;
  readonly addresses: FakeAddresses;
  readonly routes: FakeRoutes;
  readonly neighbours: FakeNeighbours;
  readonly fdb: FakeFdb;
  readonly shaping: FakeShaping;
  readonly sysctl: FakeSysctl;
  readonly nft: FakeNft;
  readonly iptables: FakeIptables;
  readonly conntrack: FakeConntrack;
  readonly ipvs: FakeIpvs;
  #open = true;

  constructor(state: NamespaceState) {
    this.state = state;
    state.users++;
    this.links = new FakeLinks(state, stateOf);
    this.addresses = new FakeAddresses(state);
    this.routes = new FakeRoutes(state);
    this.neighbours = new FakeNeighbours(state);
    this.fdb = new FakeFdb(state);
    this.shaping = new FakeShaping(state);
    this.sysctl = new FakeSysctl(state);
    this.nft = new FakeNft(state);
    this.iptables = new FakeIptables(state);
    this.conntrack = new FakeConntrack(state);
    this.ipvs = new FakeIpvs(state);
  }

  get inode(): number {
    return this.state.inode;
  }

  run<T>(section: () => T): T {
    return section();
  }

  batch<T>(section: () => T): T {
    return section();
  }

  monitor(
    listener: (event: NetworkEvent) => void,
    kinds: readonly NetworkEventKind[] = ['link', 'address', 'route'],
  ): Disposable {
    const entry = { listener, kinds };
    this.state.listeners.add(entry);
    return { [Symbol.dispose]: () => void this.state.listeners.delete(entry) };
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.state.release();
  }
}

function stateOf(netns: NetworkNamespace): NamespaceState {
  if (netns instanceof FakeNamespace) return netns.state;
  throw new KernelError({
    errno: 'EINVAL',
    operation: 'use',
    object: 'a network namespace of another kernel',
  });
}
