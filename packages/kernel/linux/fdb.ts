import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE } from '../netlink/header-flags.ts';
import {
  decodeFdbEntry,
  encodeFdbDump,
  encodeFdbEntry,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from '../netlink/neighbour.ts';
import type { FdbEntry, FdbPort } from '../ports/fdb.ts';
import type { Link, LinkPort } from '../ports/links.ts';
import type { LinkNames } from './link-names.ts';
import { listByLink } from './list-by-link.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** VXLAN's default entry: where frames without a better entry go; there may be several. */
const ALL_ZEROS = '00:00:00:00:00:00';

export class LinuxFdb implements FdbPort {
  readonly #socket: () => NetlinkSocket;
  readonly #names: LinkNames;
  readonly #links: LinkPort;

  constructor(socket: () => NetlinkSocket, names: LinkNames, links: LinkPort) {
    this.#socket = socket;
    this.#names = names;
    this.#links = links;
  }

  list(filter: { readonly link?: string } = {}): readonly FdbEntry[] {
    return listByLink(
      this.#socket(),
      this.#names,
      filter.link,
      (index) => ({
        type: RTM_GETNEIGH,
        body: (writer) => encodeFdbDump(writer, index),
        operation: 'list',
        object: 'FDB entries',
      }),
      decodeFdbEntry,
    );
  }

  replace(entry: FdbEntry): void {
    const operation = 'set FDB entry';
    const object = describe(entry);
    const index = this.#names.index(entry.link, operation, object);
    const where = this.#tableOf(entry);
    this.#socket().execute({
      type: RTM_NEWNEIGH,
      flags: NLM_F_CREATE | (entry.mac === ALL_ZEROS ? NLM_F_APPEND : NLM_F_REPLACE),
      body: (writer) => encodeFdbEntry(writer, index, entry, where),
      operation,
      object,
    });
  }

  delete(entry: FdbEntry): void {
    const index = this.#names.find(entry.link);
    if (index === undefined) return;
    const where = this.#tableOf(entry);
    this.#socket().executeUnless(['ENOENT', 'ENODEV'], {
      type: RTM_DELNEIGH,
      body: (writer) => encodeFdbEntry(writer, index, entry, where),
      operation: 'delete FDB entry',
      object: describe(entry),
    });
  }

  /** A bridge port's entries are in its bridge, all others in the device itself. */
  #tableOf(entry: FdbEntry): 'master' | 'self' {
    if (entry.destination !== undefined) return 'self';
    const link: Link | undefined = this.#links.get(entry.link);
    return link?.master === undefined ? 'self' : 'master';
  }
}

function describe({ mac, link, destination }: FdbEntry): string {
  return `${mac} on ${link}${destination === undefined ? '' : ` to ${destination}`}`;
}
