import { familyOf, type IpFamily } from '#ip';
import { encodeAnnouncement } from '../announcement.ts';
import { KernelError } from '../errors.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from '../netlink/header-flags.ts';
import {
  decodeNeighbour,
  encodeNeighbour,
  encodeNeighbourDump,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from '../netlink/neighbour.ts';
import type { Neighbour, NeighbourPort } from '../ports/neighbours.ts';
import { sendAnnouncement } from './announce.ts';
import type { LinkNames } from './link-names.ts';
import { listByLink } from './list-by-link.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

export class LinuxNeighbours implements NeighbourPort {
  readonly #socket: () => NetlinkSocket;
  readonly #names: LinkNames;
  readonly #inside: <T>(section: () => T) => T;

  constructor(socket: () => NetlinkSocket, names: LinkNames, inside: <T>(section: () => T) => T) {
    this.#socket = socket;
    this.#names = names;
    this.#inside = inside;
  }

  list(filter: { readonly link?: string; readonly family?: IpFamily } = {}): readonly Neighbour[] {
    return listByLink(
      this.#socket(),
      this.#names,
      filter.link,
      (index) => ({
        type: RTM_GETNEIGH,
        body: (writer) => encodeNeighbourDump(writer, filter.family, index),
        operation: 'list',
        object: 'neighbours',
      }),
      (payload) => {
        const raw = decodeNeighbour(payload);
        const isAsked = filter.family === undefined || (raw && familyOf(raw.address) === filter.family);
        return isAsked ? raw : undefined;
      },
    );
  }

  replace(neighbour: Parameters<NeighbourPort['replace']>[0]): void {
    const operation = 'set neighbour';
    const object = `${neighbour.address} on ${neighbour.link}`;
    const index = this.#names.index(neighbour.link, operation, object);
    this.#socket().execute({
      type: RTM_NEWNEIGH,
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      body: (writer) => encodeNeighbour(writer, index, neighbour, neighbour.state ?? 'permanent'),
      operation,
      object,
    });
  }

  delete({ link, address }: Pick<Neighbour, 'link' | 'address'>): void {
    const index = this.#names.find(link);
    if (index === undefined) return;
    this.#socket().executeUnless(['ENOENT', 'ENODEV'], {
      type: RTM_DELNEIGH,
      body: (writer) => encodeNeighbour(writer, index, { address, mac: undefined }, 'permanent'),
      operation: 'delete neighbour',
      object: `${address} on ${link}`,
    });
  }

  announce({ link, address }: Pick<Neighbour, 'link' | 'address'>): void {
    const object = `${address} on ${link}`;
    const index = this.#names.find(link);
    const mac = this.#names.mac(link);
    if (index === undefined || mac === undefined)
      throw new KernelError({ errno: 'ENODEV', operation: 'announce', object });
    this.#inside(() => sendAnnouncement(index, encodeAnnouncement(address, mac), object));
  }
}
