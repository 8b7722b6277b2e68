import {
  decodeConntrack,
  encodeConntrackDelete,
  encodeConntrackDump,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
  matchesConntrackFilter,
} from '../netlink/conntrack.ts';
import type { ConntrackEntry, ConntrackFilter, ConntrackPort } from '../ports/conntrack.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

export class LinuxConntrack implements ConntrackPort {
  readonly #open: () => NetlinkSocket;
  #socket: NetlinkSocket | undefined;

  /** @param open makes an nfnetlink socket in the namespace */
  constructor(open: () => NetlinkSocket) {
    this.#open = open;
  }

  async list(filter: ConntrackFilter = {}): Promise<readonly ConntrackEntry[]> {
    // A socket of its own: other requests go on between the parts of a long list.
    using socket = this.#open();
    return await socket.dumpInParts(
      {
        type: IPCTNL_MSG_CT_GET,
        body: (writer) => encodeConntrackDump(writer, filter),
        operation: 'list',
        object: 'conntrack entries',
      },
      ({ payload }) => {
        const entry = decodeConntrack(payload);
        return matchesConntrackFilter(entry, filter) ? entry : undefined;
      },
    );
  }

  delete({ original }: Pick<ConntrackEntry, 'original'>): void {
    this.#socket ??= this.#open();
    this.#socket.executeUnless(['ENOENT'], {
      type: IPCTNL_MSG_CT_DELETE,
      body: (writer) => encodeConntrackDelete(writer, original),
      operation: 'delete conntrack entry',
      object: `protocol ${original.protocol} ${original.source}:${original.sourcePort} -> ${original.destination}:${original.destinationPort}`,
    });
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
  }
}
