import { isKernelError } from '../errors.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../netlink/header-flags.ts';
import {
  decodeQdisc,
  decodeRedirect,
  encodeFilterDump,
  encodeIngress,
  encodeLimit,
  encodeQdiscDump,
  encodeRedirect,
  encodeRoot,
  RTM_DELQDISC,
  RTM_GETQDISC,
  RTM_GETTFILTER,
  RTM_NEWQDISC,
  RTM_NEWTFILTER,
} from '../netlink/traffic-control.ts';
import type { NetlinkWriter } from '../netlink/writer.ts';
import type { RateLimit, ShapingPort } from '../ports/shaping.ts';
import { checkRateLimit } from '../rate-limit.ts';
import type { LinkNames } from './link-names.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** Token buckets (tbf) at the root of links, and u32 + mirred on their ingress hook. */
export class LinuxShaping implements ShapingPort {
  readonly #socket: () => NetlinkSocket;
  readonly #names: LinkNames;

  constructor(socket: () => NetlinkSocket, names: LinkNames) {
    this.#socket = socket;
    this.#names = names;
  }

  limit(link: string, limit: RateLimit): void {
    const operation = 'limit the rate of';
    checkRateLimit(link, limit);
    const index = this.#names.index(link, operation, link);
    this.#socket().put({
      type: RTM_NEWQDISC,
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      body: (writer) => encodeLimit(writer, index, limit),
      operation,
      object: link,
    });
  }

  limitOf(link: string): RateLimit | undefined {
    const index = this.#names.find(link);
    if (index === undefined) return undefined;
    const qdiscs = this.#socket().dump(
      {
        type: RTM_GETQDISC,
        body: (writer) => encodeQdiscDump(writer, index),
        operation: 'read rate limit of',
        object: link,
      },
      ({ payload }) => decodeQdisc(payload),
    );
    return qdiscs.find(({ linkIndex, root, limit }) => linkIndex === index && root && limit !== undefined)
      ?.limit;
  }

  unlimit(link: string): void {
    this.#remove(link, 'remove rate limit of', encodeRoot);
  }

  redirectIngress(link: string, target: string): void {
    const operation = 'redirect what arrives by';
    const object = `${link} to ${target}`;
    const index = this.#names.index(link, operation, object);
    const targetIndex = this.#names.index(target, operation, object);
    const flags = NLM_F_CREATE | NLM_F_EXCL;
    const request = { flags, operation, object };
    const body = (writer: NetlinkWriter) => encodeIngress(writer, index);
    const openHook = () => this.#socket().execute({ ...request, type: RTM_NEWQDISC, body });
    try {
      openHook();
    } catch (error) {
      if (!isKernelError(error, 'EEXIST')) throw error;
      this.unredirectIngress(link);
      openHook();
    }
    this.#socket().put({
      ...{ ...request, type: RTM_NEWTFILTER },
      body: (writer) => encodeRedirect(writer, index, targetIndex),
    });
  }

  redirectOf(link: string): string | undefined {
    const index = this.#names.find(link);
    if (index === undefined) return undefined;
    const targets = this.#socket().dump(
      {
        type: RTM_GETTFILTER,
        body: (writer) => encodeFilterDump(writer, index),
        operation: 'read filters of',
        object: link,
      },
      ({ payload }) => decodeRedirect(payload),
    );
    const [target] = targets;
    return target === undefined ? undefined : this.#names.name(target);
  }

  unredirectIngress(link: string): void {
    this.#remove(link, 'end redirection of', encodeIngress);
  }

  #remove(link: string, operation: string, encode: (writer: NetlinkWriter, index: number) => void): void {
    const index = this.#names.find(link);
    if (index === undefined) return;
    // EINVAL: there is no such hook; ENOENT: only the kernel's own default is there.
    this.#socket().executeUnless(['EINVAL', 'ENOENT', 'ENODEV'], {
      type: RTM_DELQDISC,
      body: (writer) => encode(writer, index),
      operation,
      object: link,
    });
  }
}
