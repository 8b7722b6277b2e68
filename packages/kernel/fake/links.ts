import { type MacAddress, macFromBytes } from '#ip';
import { KernelError } from '../errors.ts';
import type { Link, LinkChange, LinkPort, LinkSpec } from '../ports/links.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { BLANK, enslave, type FakeLink, type NamespaceState, release } from './state.ts';

const MIN_MTU = 68;
let nextMac = 1;

export class FakeLinks implements LinkPort {
  readonly #state: NamespaceState;
  readonly #stateOf: (netns: NetworkNamespace) => NamespaceState;

  constructor(state: NamespaceState, stateOf: (netns: NetworkNamespace) => NamespaceState) {
    this.#state = state;
    this.#stateOf = stateOf;
  }

  list(): readonly Link[] {
    return [...this.#state.links.values()].sort((a, b) => a.index - b.index).map(view);
  }

  get(name: string): Link | undefined {
    const link = this.#state.links.get(name);
    return link === undefined ? undefined : view(link);
  }

  add(spec: LinkSpec): void {
    const operation = 'add link';
    const state = this.#state;
    checkNew(state, spec, operation);
    const master =
      spec.kind === 'veth' && spec.master !== undefined ? this.#bridge(spec.master, spec.name) : undefined;
    if (spec.kind === 'vxlan' && spec.vxlan.link !== undefined)
      state.requireLink(spec.vxlan.link, operation, spec.name);
    const make = (netns: NamespaceState, link: Omit<LinkSpec, 'kind'>) =>
      netns.insert({
        ...BLANK,
        kind: spec.kind,
        netns,
        name: link.name,
        mac: link.mac ?? newMac(),
        mtu: link.mtu ?? (spec.kind === 'vxlan' ? 1450 : 1500),
        up: link.up ?? false,
        alias: link.alias,
        vxlan: spec.kind === 'vxlan' ? spec.vxlan : undefined,
      });
    if (spec.kind !== 'veth') return void make(state, spec);
    const other = spec.peer.netns === undefined ? state : this.#stateOf(spec.peer.netns);
    checkNew(other, spec.peer, operation);
    if (other === state && spec.peer.name === spec.name)
      throw new KernelError({ errno: 'EEXIST', operation, object: spec.name });
    const peer = make(other, spec.peer);
    const link = make(state, spec);
    link.peer = peer;
    peer.peer = link;
    if (master !== undefined) enslave(link, master);
  }

  set(name: string, change: LinkChange): void {
    const operation = 'change link';
    const state = this.#state;
    const link = state.requireLink(name, operation, name);
    if (change.name !== undefined && change.name !== name) {
      checkNew(state, { name: change.name }, operation);
      rename(state, link, change.name);
    }
    if (change.mtu !== undefined) {
      checkMtu(change.mtu, operation, name);
      link.mtu = change.mtu;
    }
    if (change.alias !== undefined) link.alias = change.alias === '' ? undefined : change.alias;
    if (change.mac !== undefined) link.mac = change.mac;
    if (change.master !== undefined) {
      release(link);
      if (change.master !== null) enslave(link, this.#bridge(change.master, name));
    }
    if (change.up !== undefined && change.up !== link.up) {
      link.up = change.up;
      if (!change.up) state.dropRoutes(link);
    }
    if (change.hairpin !== undefined || change.flooded !== undefined) {
      if (link.master === undefined)
        throw new KernelError({
          errno: 'EOPNOTSUPP',
          operation: 'set bridge port options of link',
          object: name,
        });
      link.hairpin = change.hairpin ?? link.hairpin;
      link.flooded = change.flooded ?? link.flooded;
    }
    state.emit('link', 'new', link.index);
    if (change.netns !== undefined) this.#move(link, this.#stateOf(change.netns), operation);
  }

  delete(name: string): void {
    const link = this.#state.links.get(name);
    if (link === undefined) return;
    if (link.kind === 'loopback')
      throw new KernelError({ errno: 'EOPNOTSUPP', operation: 'delete link', object: name });
    this.#state.remove(link);
    link.peer?.netns.remove(link.peer);
  }

  async deleteAsync(name: string): Promise<void> {
    this.delete(name);
  }

  #bridge(name: string, port: string): FakeLink {
    const bridge = this.#state.requireLink(name, 'set master of link', port);
    if (bridge.kind === 'bridge') return bridge;
    throw new KernelError({ errno: 'EOPNOTSUPP', operation: 'set master of link', object: port });
  }

  #move(link: FakeLink, to: NamespaceState, operation: string): void {
    if (to === this.#state) return;
    if (link.kind === 'loopback') throw new KernelError({ errno: 'EINVAL', operation, object: link.name });
    if (to.links.has(link.name)) throw new KernelError({ errno: 'EEXIST', operation, object: link.name });
    this.#state.remove(link);
    link.up = false;
    release(link);
    to.insert(link);
  }
}

function rename(state: NamespaceState, link: FakeLink, name: string): void {
  const old = link.name;
  state.links.delete(old);
  link.name = name;
  state.links.set(name, link);
  for (const list of [state.addresses, state.routes, state.neighbours, state.fdb] as {
    link?: string | undefined;
  }[][])
    for (const [i, item] of list.entries()) if (item.link === old) list[i] = { ...item, link: name };
}

function checkNew(
  state: NamespaceState,
  { name, mtu }: { readonly name: string; readonly mtu?: number },
  operation: string,
): void {
  if (Buffer.byteLength(name) > 15) throw new KernelError({ errno: 'ERANGE', operation, object: name });
  if (name === '' || name === '.' || name === '..' || /[/:\s]/.test(name))
    throw new KernelError({ errno: 'EINVAL', operation, object: JSON.stringify(name) });
  if (state.links.has(name)) throw new KernelError({ errno: 'EEXIST', operation, object: name });
  if (mtu !== undefined) checkMtu(mtu, operation, name);
}

function checkMtu(mtu: number, operation: string, object: string): void {
  if (mtu < MIN_MTU || mtu > 65535)
    throw new KernelError({ errno: 'EINVAL', operation, object, detail: `mtu ${mtu} is out of range` });
}

function newMac(): MacAddress {
  const bytes = Buffer.from([2, 0, 0, 0, 0, 0]);
  bytes.writeUInt32BE(nextMac++, 2);
  return macFromBytes(bytes);
}

function view(link: FakeLink): Link {
  const { netns: _, master, peer, ...rest } = link;
  return { ...rest, master: master?.index, peerIndex: peer?.index };
}
