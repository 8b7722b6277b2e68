import { closeSync, fstatSync } from 'node:fs';
import { KernelError } from '../errors.ts';
import type { NetworkEvent, NetworkNamespace } from '../ports.ts';
import { LinuxAddresses } from './addresses.ts';
import { LinuxFdb } from './fdb.ts';
import { LinkNames } from './link-names.ts';
import { LinuxLinks } from './links.ts';
import { LinuxNeighbours } from './neighbours.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.ts';
import { LinuxNft } from './nft.ts';
import { LinuxRoutes } from './routes.ts';
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
  readonly sysctl: LinuxSysctl;
  readonly nft: LinuxNft;
  #rtnetlink: NetlinkSocket | undefined;
  #open = true;

  constructor(fd: number) {
    this.fd = fd;
    this.inode = fstatSync(fd).ino;
    const socket = () => this.#socket();
    const names = new LinkNames(() => this.#socket().fd);
    const inside = <T>(section: () => T) => this.run(section);
    this.links = new LinuxLinks(socket, names, namespaceFd);
    this.addresses = new LinuxAddresses(socket, names);
    this.routes = new LinuxRoutes(socket, names);
    this.neighbours = new LinuxNeighbours(socket, names);
    this.fdb = new LinuxFdb(socket, names, this.links);
    this.sysctl = new LinuxSysctl(inside);
    this.nft = new LinuxNft(inside);
  }

  run<T>(section: () => T): T {
    this.#requireOpen('enter');
    return insideNetns(this.fd, section);
  }

  monitor(_listener: (event: NetworkEvent) => void): Disposable {
    throw new KernelError({ errno: 'EOPNOTSUPP', operation: 'monitor', object: 'network namespace' });
  }

  get conntrack(): NetworkNamespace['conntrack'] {
    throw new KernelError({
      errno: 'EOPNOTSUPP',
      operation: 'use conntrack of',
      object: 'network namespace',
    });
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#rtnetlink?.[Symbol.dispose]();
    closeSync(this.fd);
  }

  #socket(): NetlinkSocket {
    this.#requireOpen('use');
    this.#rtnetlink ??= insideNetns(this.fd, () => new NetlinkSocket(NETLINK_ROUTE));
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

/** The file descriptor of a namespace of this adapter. */
export function namespaceFd(netns: NetworkNamespace): number {
  if (netns instanceof LinuxNamespace) return netns.fd;
  throw new KernelError({
    errno: 'EINVAL',
    operation: 'use',
    object: 'a network namespace of another kernel',
  });
}
