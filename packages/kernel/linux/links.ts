import { macToBytes } from '#ip';
import { isKernelError, KernelError } from '../errors.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../netlink/header-flags.ts';
import {
  decodeLink,
  encodeBridgePort,
  encodeLinkQuery,
  encodeNewLink,
  encodeSetLink,
  type RawLink,
  type RawLinkChange,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from '../netlink/link.ts';
import type { NetlinkWriter } from '../netlink/writer.ts';
import type { Link, LinkChange, LinkPort, LinkSpec } from '../ports/links.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { deleteLink } from './link-deletion.ts';
import type { LinkNames } from './link-names.ts';
import type { NetlinkRequest, NetlinkSocket } from './netlink-socket.ts';

export class LinuxLinks implements LinkPort {
  readonly #socket: () => NetlinkSocket;
  readonly #open: () => NetlinkSocket;
  readonly #names: LinkNames;
  readonly #fdOf: (netns: NetworkNamespace) => number;

  /**
   * @param socket the namespace's shared socket
   * @param open makes another
   */
  constructor(
    socket: () => NetlinkSocket,
    open: () => NetlinkSocket,
    names: LinkNames,
    fdOf: (netns: NetworkNamespace) => number,
  ) {
    this.#socket = socket;
    this.#open = open;
    this.#names = names;
    this.#fdOf = fdOf;
  }

  list(): readonly Link[] {
    const raw = this.#socket().dump(
      {
        type: RTM_GETLINK,
        body: (writer) => encodeLinkQuery(writer, {}),
        operation: 'list',
        object: 'links',
      },
      ({ payload }) => decodeLink(payload),
    );
    return raw.map((link) => this.#named(link));
  }

  get(name: string): Link | undefined {
    // The kernel answers ERANGE or EINVAL for what can be no name; there is no such link either way.
    const index = this.#names.find(name);
    if (index === undefined) return undefined;
    try {
      return this.#read(index, name);
    } catch (error) {
      if (isKernelError(error, 'ENODEV')) return undefined;
      throw error;
    }
  }

  add(spec: LinkSpec): void {
    const operation = 'add link';
    const references = {
      master:
        spec.kind === 'veth' && spec.master !== undefined
          ? this.#names.index(spec.master, operation, spec.name)
          : undefined,
      vxlanLink:
        spec.kind === 'vxlan' && spec.vxlan.link !== undefined
          ? this.#names.index(spec.vxlan.link, operation, spec.name)
          : undefined,
      peerNetns:
        spec.kind === 'veth' && spec.peer.netns !== undefined ? this.#fdOf(spec.peer.netns) : undefined,
    };
    this.#socket().execute({
      type: RTM_NEWLINK,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: (writer) => encodeNewLink(writer, spec, references),
      operation,
      object: spec.name,
    });
    try {
      this.#complete(spec);
    } catch (error) {
      this.delete(spec.name);
      throw error;
    }
  }

  set(name: string, change: LinkChange): void {
    const operation = 'change link';
    const index = this.#names.index(name, operation, name);
    const { hairpin, flooded, master, netns, mac, ...rest } = change;
    const plain: RawLinkChange = {
      ...rest,
      mac: mac === undefined ? undefined : macToBytes(mac),
      master:
        master === undefined ? undefined : master === null ? 0 : this.#names.index(master, operation, name),
    };
    if (Object.values(plain).some((value) => value !== undefined)) this.#change(name, index, plain);
    if (hairpin !== undefined || flooded !== undefined) {
      const port = { ...(hairpin !== undefined && { hairpin }), ...(flooded !== undefined && { flooded }) };
      const body = (writer: NetlinkWriter) => encodeBridgePort(writer, index, port);
      this.#socket().put(this.#new(name, body, 'set bridge port options of link'));
    }
    // Last, as the link has no index here afterwards.
    if (netns !== undefined) this.#change(name, index, { netns: this.#fdOf(netns) });
  }

  delete(name: string): void {
    const request = this.#deletion(name);
    if (request === undefined) return;
    this.#socket().executeUnless(['ENODEV'], request);
  }

  async deleteAsync(name: string): Promise<void> {
    const request = this.#deletion(name);
    if (request === undefined) return;
    try {
      await deleteLink(this.#open(), request);
    } catch (error) {
      if (!isKernelError(error, 'ENODEV')) throw error;
    }
  }

  /** What the kernel does not take in the message that makes a link. */
  #complete(spec: LinkSpec): void {
    if (spec.alias !== undefined) this.set(spec.name, { alias: spec.alias });
    if (spec.kind !== 'veth') return;
    const { name, alias, up, netns } = spec.peer;
    if (alias !== undefined || up)
      (netns?.links ?? this).set(name, {
        ...(alias === undefined ? {} : { alias }),
        ...(up ? { up } : {}),
      });
  }

  #deletion(name: string): NetlinkRequest | undefined {
    const index = this.#names.find(name);
    if (index === undefined) return undefined;
    this.#names.forget(name);
    return {
      type: RTM_DELLINK,
      body: (writer) => encodeLinkQuery(writer, { index }),
      operation: 'delete link',
      object: name,
    };
  }

  #change(name: string, index: number, change: RawLinkChange): void {
    const request = this.#new(name, (writer) => encodeSetLink(writer, index, change), 'change link');
    if (change.name === undefined && change.netns === undefined) this.#socket().put(request);
    else {
      this.#socket().execute(request);
      this.#names.forget(name);
    }
  }

  #new(name: string, body: (writer: NetlinkWriter) => void, operation: string): NetlinkRequest {
    return { type: RTM_NEWLINK, body, operation, object: name };
  }

  #read(index: number, name: string): Link {
    const [link] = this.#socket().query(
      {
        type: RTM_GETLINK,
        body: (writer) => encodeLinkQuery(writer, { index }),
        operation: 'read link',
        object: name,
      },
      ({ payload }) => decodeLink(payload),
    );
    if (link === undefined) throw new KernelError({ errno: 'ENODEV', operation: 'read link', object: name });
    return this.#named(link);
  }

  #named(link: RawLink): Link {
    if (link.vxlan === undefined) return { ...link, vxlan: undefined };
    const under = link.vxlan.link;
    return {
      ...link,
      vxlan: {
        ...link.vxlan,
        link: under === undefined || under === 0 ? undefined : this.#names.name(under),
      },
    };
  }
}
