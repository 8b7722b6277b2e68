import { closeSync, fstatSync } from 'node:fs';
import { KernelError } from '../errors.ts';
import type { NetworkEvent, NetworkEventKind } from '../ports/monitor.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { LinuxAddresses } from './addresses.ts';
import { LinuxConntrack } from './conntrack.ts';
import { LinuxFdb } from './fdb.ts';
import { LinuxIptables } from './iptables.ts';
import { LinuxIpvs } from './ipvs.ts';
import { LinkNames } from './link-names.ts';
import { LinuxLinks } from './links.ts';
import { monitorNetns } from './monitor.ts';
import { LinuxNeighbours } from './neighbours.ts';
import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.ts';
import { LinuxNft } from './nft.ts';
import { LinuxRoutes } from './routes.ts';
import { LinuxShaping } from './shaping.ts';
import { LinuxSysctl } from './sysctl.ts';
import { insideNetns } from './thread-netns.ts';

/** A handle on a namespace: owns a file descriptor of it and, from the first use, a netlink socket inside it. */
export class LinuxNamespace implements NetworkNamespace {
  readonly fd: number;
  readonly inode: number;
  readonly links: LinuxLinks;
  readonly addresses: LinuxAddresses;
  readonly routes: LinuxRoutes;
  readonly neighbours: LinuxNeighbours;
  readonly fdb: LinuxFdb;
  readonly shaping: LinuxShaping;
  readonly sysctl: LinuxSysctl;
  readonly nft: LinuxNft;
  readonly iptables: LinuxIptables;
  readonly conntrack: LinuxConntrack;
  readonly ipvs: LinuxIpvs;
  readonly #names: LinkNames;
  #rtnetlink: NetlinkSocket | undefined;
  #open = true;

  constructor(fd: number) {
    this.fd = fd;
    this.inode = fstatSync(fd).ino;
    const socket = () => this.#socket();
    const rtnetlink = () => this.run(() => new NetlinkSocket(NETLINK_ROUTE));
    const names = new LinkNames(() => this.#socket().fd);
    this.#names = names;
    const inside = <T>(section: () => T) => this.run(section);
    this.links = new LinuxLinks(socket, rtnetlink, names, (netns) => requireLinuxNamespace(netns).fd);
    this.addresses = new LinuxAddresses(socket, names);
    this.routes = new LinuxRoutes(socket, names);
    this.neighbours = new LinuxNeighbours(socket, names, inside);
    this.fdb = new LinuxFdb(socket, names, this.links);
    this.shaping = new LinuxShaping(socket, names);
    this.sysctl = new LinuxSysctl(inside);
    const nfnetlink = () => this.run(() => new NetlinkSocket(NETLINK_NETFILTER));
    this.nft = new LinuxNft(fd, inside, nfnetlink);
    this.iptables = new LinuxIptables(this.nft, inside);
    this.conntrack = new LinuxConntrack(nfnetlink);
    this.ipvs = new LinuxIpvs(() => this.run(() => new NetlinkSocket(NETLINK_GENERIC)), inside);
  }

  run<T>(section: () => T): T {
    this.#requireOpen('enter');
    return insideNetns(this.fd, this.inode, section);
  }

  batch<T>(section: () => T): T {
    return this.#names.remember(() => this.#socket().batch(section));
  }

  monitor(listener: (event: NetworkEvent) => void, kinds?: readonly NetworkEventKind[]): Disposable {
    return this.run(() => monitorNetns(listener, kinds));
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#rtnetlink?.[Symbol.dispose]();
    this.nft[Symbol.dispose]();
    this.conntrack[Symbol.dispose]();
    this.ipvs[Symbol.dispose]();
    closeSync(this.fd);
  }

  #socket(): NetlinkSocket {
    this.#requireOpen('use');
    this.#rtnetlink ??= insideNetns(this.fd, this.inode, () => new NetlinkSocket(NETLINK_ROUTE));
    return this.#rtnetlink;
  }

  #requireOpen(operation: string): void {
    if (!this.#open)
      throw new KernelError({
        errno: 'EBADF',
        operation,
        object: 'network namespace',
        detail: 'the handle is disposed',
      });
  }
}

/** @throws KernelError `EINVAL` for a namespace of another adapter */
export function requireLinuxNamespace(netns: NetworkNamespace): LinuxNamespace {
  if (netns instanceof LinuxNamespace) return netns;
  throw new KernelError({
    errno: 'EINVAL',
    operation: 'use',
    object: 'a network namespace of another kernel',
  });
}
