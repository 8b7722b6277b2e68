import { familyOf, type IpFamily } from '#ip';
import { encodeAnnouncement } from '../announcement.ts';
import { isKernelError, KernelError } from '../errors.ts';
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
import { type NetlinkSocket, NLM_F_CREATE, NLM_F_REPLACE } from './netlink-socket.ts';

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
    const index = filter.link === undefined ? 0 : this.#names.find(filter.link);
    if (index === undefined) return [];
    const nameOf = this.#names.lookup();
    return this.#socket().dump(
      {
        type: RTM_GETNEIGH,
        body: (writer) => encodeNeighbourDump(writer, filter.family, index),
        operation: 'list',
        object: 'neighbours',
      },
      ({ payload }) => {
        const raw = decodeNeighbour(payload);
        if (raw === undefined || (index !== 0 && raw.linkIndex !== index)) return undefined;
        if (filter.family !== undefined && familyOf(raw.address) !== filter.family) return undefined;
        const { linkIndex, ...neighbour } = raw;
        const link = nameOf(linkIndex);
        return link === undefined ? undefined : { link, ...neighbour };
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
    try {
      this.#socket().execute({
        type: RTM_DELNEIGH,
        body: (writer) => encodeNeighbour(writer, index, { address, mac: undefined }, 'permanent'),
        operation: 'delete neighbour',
        object: `${address} on ${link}`,
      });
    } catch (error) {
      if (!isKernelError(error, 'ENOENT', 'ENODEV')) throw error;
    }
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
