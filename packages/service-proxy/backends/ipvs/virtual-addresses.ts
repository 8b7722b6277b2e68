import { addressBits, familyOf, type IpAddress } from '#ip';
import { ensureAddressHolder, type InterfaceAddress, isKernelError, type NetworkNamespace } from '#kernel';
import { otherWork } from '#runtime';
import { RouteLookup } from '../route-lookup.ts';

/** Its name is kube-proxy's, so that tools that look at it find it. */
export const VIP_LINK = 'kube-ipvs0';
/** By which the link is known under another name. */
const ALIAS = 'Services of Podway';
/** Turns of the event loop: a second or so, where one is enough. */
const ROUTE_TRIES = 2_000;
/** Addresses that are bound between other work: each is compared with all before it (net/ipv4/devinet.c, __inet_insert_ifa). */
const PART = 20;

/**
 * The VIPs as addresses of the node, on a link that is kept down: the kernel's table of local addresses has them, which is all that IPVS needs.
 * Several Services may ask for one.
 */
export class VirtualAddresses {
  readonly #netns: Pick<NetworkNamespace, 'links' | 'addresses' | 'routes' | 'sysctl'>;
  readonly #routes: RouteLookup;
  /** How many Services ask for each. */
  readonly #uses = new Map<IpAddress, number>();
  readonly #bound = new Set<IpAddress>();
  /** No Service asks for them now. */
  readonly #unused = new Set<IpAddress>();
  /** Were bound until somebody took the link away. */
  readonly #lost = new Set<IpAddress>();
  /** Bound by another program, so that the node may choose them as its own source. */
  readonly #choosable = new Set<IpAddress>();

  constructor(netns: Pick<NetworkNamespace, 'links' | 'addresses' | 'routes' | 'sysctl'>) {
    this.#netns = netns;
    this.#routes = new RouteLookup(netns.routes);
  }

  get areAny(): boolean {
    return this.#bound.size > 0;
  }

  isBound(address: IpAddress): boolean {
    return this.#bound.has(address);
  }

  observe(): void {
    this.#uses.clear();
    this.#bound.clear();
    this.#unused.clear();
    this.#lost.clear();
    this.#choosable.clear();
    this.#take();
  }

  /** Makes the link; what was bound to one that is gone is bound with the next {@link change}. @returns how much it wrote */
  prepare(): number {
    const { links } = this.#netns;
    const link = links.get(VIP_LINK);
    if (link?.up === false && link.alias === ALIAS) return 0;
    const renamed = link === undefined ? links.list().find(({ alias }) => alias === ALIAS) : undefined;
    if (renamed !== undefined) links.set(renamed.name, { up: false, name: VIP_LINK });
    ensureAddressHolder(links, VIP_LINK, { up: false });
    links.set(VIP_LINK, { alias: ALIAS });
    // Taken down, a link loses its IPv6 addresses.
    const kept = new Set(this.#take().map(({ address }) => address));
    for (const address of this.#bound) {
      if (kept.has(address)) continue;
      this.#bound.delete(address);
      this.#lost.add(address);
    }
    return 1;
  }

  /** Remembers what is bound. @returns that */
  #take(): readonly InterfaceAddress[] {
    const found = this.#list();
    for (const { address, deprecated } of found) {
      this.#bound.add(address);
      if (!this.#uses.has(address)) this.#unused.add(address);
      if (familyOf(address) === 'IPv6' && !deprecated) this.#choosable.add(address);
    }
    return found;
  }

  /**
   * Binds what more Services ask for, and unbinds what nobody asks for any more; resolves when packets come here.
   * @returns how much it wrote
   */
  async change(asked: readonly IpAddress[], released: readonly IpAddress[]): Promise<number> {
    for (const address of asked) this.#ask(address);
    for (const address of released) this.#release(address);
    return (await this.#bind(asked)) + (await this.#unbindUnused());
  }

  #ask(address: IpAddress): void {
    this.#uses.set(address, (this.#uses.get(address) ?? 0) + 1);
    this.#unused.delete(address);
  }

  #release(address: IpAddress): void {
    const uses = (this.#uses.get(address) ?? 0) - 1;
    if (uses > 0) {
      this.#uses.set(address, uses);
      return;
    }
    this.#uses.delete(address);
    this.#unused.add(address);
  }

  /** And what was lost. @returns how much it wrote */
  async #bind(wanted: Iterable<IpAddress>): Promise<number> {
    let written = 0;
    let fresh: IpAddress[] = [];
    for (const address of [...this.#lost, ...wanted]) {
      this.#lost.delete(address);
      if (this.#choosable.delete(address) && this.#bound.delete(address))
        this.#netns.addresses.delete(place(address));
      if (this.#bound.has(address) || !this.#uses.has(address)) continue;
      this.#add(address);
      this.#bound.add(address);
      fresh.push(address);
      if (++written % PART !== 0) continue;
      await otherWork();
      await this.#untilLocal(fresh);
      fresh = [];
    }
    await this.#untilLocal(fresh);
    return written;
  }

  #add(address: IpAddress): void {
    const add = () => this.#netns.addresses.add({ ...place(address), noDad: true, deprecated: true });
    try {
      add();
    } catch (error) {
      if (isKernelError(error, 'EACCES')) {
        // net.ipv6.conf.default says that new links have no IPv6, although others have.
        this.#netns.sysctl.set(`net.ipv6.conf.${VIP_LINK}.disable_ipv6`, '0');
        add();
      } else if (!isKernelError(error, 'EEXIST')) throw error;
    }
  }

  /** An IPv6 address gets its local route from a work queue, a moment later (net/ipv6/addrconf.c, addrconf_dad_start). */
  async #untilLocal(addresses: readonly IpAddress[]): Promise<void> {
    let waiting = addresses.filter((address) => familyOf(address) === 'IPv6');
    for (let tries = 0; waiting.length > 0 && tries < ROUTE_TRIES; tries++) {
      if (tries > 0) await otherWork();
      waiting = waiting.filter((address) => !this.#routes.isLocal(address));
    }
  }

  /** @returns how much it wrote */
  async #unbindUnused(): Promise<number> {
    let written = 0;
    for (const address of this.#unused) {
      this.#unused.delete(address);
      if (!this.#bound.delete(address)) continue;
      this.#netns.addresses.delete(place(address));
      if (++written % PART === 0) await otherWork();
    }
    return written;
  }

  /** Whether the link and every address are there. */
  isIntact(): boolean {
    const link = this.#netns.links.get(VIP_LINK);
    if (link === undefined || link.up) return false;
    const found = new Set(this.#list().map(({ address }) => address));
    return found.size === this.#bound.size && [...this.#uses.keys()].every((address) => found.has(address));
  }

  remove(): void {
    this.#netns.links.delete(VIP_LINK);
    this.observe();
  }

  #list(): readonly InterfaceAddress[] {
    if (this.#netns.links.get(VIP_LINK) === undefined) return [];
    return this.#netns.addresses.list({ link: VIP_LINK }).filter(({ scope }) => scope !== 'link'); // fe80:: of a link that someone has brought up
  }
}

function place(address: IpAddress) {
  return { link: VIP_LINK, address, prefixLength: addressBits(familyOf(address)) };
}
