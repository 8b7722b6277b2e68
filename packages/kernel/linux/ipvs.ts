import { closeSync, openSync, readFile } from 'node:fs';
import { promisify } from 'node:util';
import { isKernelError, KernelError, NetlinkFormatError } from '../errors.ts';
import { checkIpvsChange, checkIpvsTimeouts } from '../ipvs-check.ts';
import { parseIpvsConnections } from '../ipvs-connections.ts';
import { SingleIpvsChanges } from '../ipvs-single-changes.ts';
import { describeIpvsChange, describeIpvsService } from '../ipvs-text.ts';
import { decodeFamily, encodeFamilyRequest, GENL_ID_CTRL } from '../netlink/generic.ts';
import {
  decodeIpvsDestination,
  decodeIpvsService,
  decodeIpvsTimeouts,
  encodeIpvsChange,
  encodeIpvsDestinationDump,
  encodeIpvsFlush,
  encodeIpvsServiceDump,
  encodeIpvsTimeouts,
  encodeIpvsTimeoutsRequest,
  IPVS_GENL_NAME,
} from '../netlink/ipvs.ts';
import type { NetlinkWriter } from '../netlink/writer.ts';
import type {
  IpvsChange,
  IpvsConnection,
  IpvsConnectionFilter,
  IpvsDestination,
  IpvsPort,
  IpvsService,
  IpvsServiceKey,
  IpvsTimeouts,
} from '../ports/ipvs.ts';
import type { NetlinkRequest, NetlinkSocket } from './netlink-socket.ts';
import { wrapFileErrors } from './netns-files.ts';

interface ChangeRequest extends NetlinkRequest {
  readonly change: IpvsChange;
}

/** IPVS by generic netlink. */
export class LinuxIpvs extends SingleIpvsChanges implements IpvsPort {
  readonly #open: () => NetlinkSocket;
  readonly #inside: <T>(section: () => T) => T;
  #socket: NetlinkSocket | undefined;
  #family: number | undefined;

  /** @param open makes a generic netlink socket in the namespace */
  constructor(open: () => NetlinkSocket, inside: <T>(section: () => T) => T) {
    super();
    this.#open = open;
    this.#inside = inside;
  }

  available(): boolean {
    try {
      this.timeouts();
      return true;
    } catch (error) {
      if (isKernelError(error, 'EOPNOTSUPP', 'EPERM')) return false;
      throw error;
    }
  }

  async listServices(): Promise<readonly IpvsService[]> {
    const operation = 'list';
    const object = 'IPVS services';
    const type = this.#type(operation, object);
    // Of its own: the other one may be asked meanwhile.
    using socket = this.#open();
    return await socket.dumpInParts({ type, body: encodeIpvsServiceDump, operation, object }, ({ payload }) =>
      decodeIpvsService(payload),
    );
  }

  listDestinations(service: IpvsServiceKey): readonly IpvsDestination[] {
    const operation = 'list IPVS destinations of';
    const object = describeIpvsService(service);
    const type = this.#type(operation, object);
    return this.#netlink().dump(
      { type, body: (writer) => encodeIpvsDestinationDump(writer, service), operation, object },
      ({ payload }) => decodeIpvsDestination(payload, service),
    );
  }

  change(changes: readonly IpvsChange[]): void {
    for (const change of changes) checkIpvsChange(change);
    const [first] = changes;
    if (first === undefined) return;
    const { operation, object } = describeIpvsChange(first);
    const type = this.#type(operation, object);
    const requests = changes.map(
      (change): ChangeRequest => ({
        type,
        body: (writer) => encodeIpvsChange(writer, change),
        ...describeIpvsChange(change),
        change,
      }),
    );
    for (const { request, error } of this.#netlink().executeAll(requests))
      if (!isNothingToDelete(request.change, error)) throw error;
  }

  flush(): void {
    const operation = 'delete all';
    const object = 'IPVS services';
    const type = this.#type(operation, object);
    this.#netlink().execute({ type, body: encodeIpvsFlush, operation, object });
  }

  timeouts(): IpvsTimeouts {
    const operation = 'read';
    const object = 'IPVS timeouts';
    const type = this.#type(operation, object);
    const [timeouts] = this.#netlink().query(
      { type, body: encodeIpvsTimeoutsRequest, operation, object },
      ({ payload }) => decodeIpvsTimeouts(payload),
    );
    if (timeouts === undefined) throw new NetlinkFormatError('netlink: no IPVS timeouts');
    return timeouts;
  }

  setTimeouts(timeouts: Partial<IpvsTimeouts>): void {
    checkIpvsTimeouts(timeouts);
    const operation = 'set';
    const object = 'IPVS timeouts';
    const type = this.#type(operation, object);
    const body = (writer: NetlinkWriter) => encodeIpvsTimeouts(writer, timeouts);
    this.#netlink().execute({ type, body, operation, object });
  }

  async connections(filter?: IpvsConnectionFilter): Promise<readonly IpvsConnection[]> {
    const operation = 'list';
    const object = 'IPVS connections';
    this.#type(operation, object);
    // An open file goes on showing the namespace it was opened in.
    const fd = this.#inside(() =>
      wrapFileErrors(operation, object, () => openSync('/proc/thread-self/net/ip_vs_conn', 'r')),
    );
    try {
      return parseIpvsConnections(await promisify(readFile)(fd, 'utf8'), filter);
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
  }

  #netlink(): NetlinkSocket {
    this.#socket ??= this.#open();
    return this.#socket;
  }

  /** The number of the kernel's IPVS family. @throws KernelError `EOPNOTSUPP` when it has none */
  #type(operation: string, object: string): number {
    if (this.#family !== undefined) return this.#family;
    try {
      const [family] = this.#netlink().query(
        {
          type: GENL_ID_CTRL,
          body: (writer) => encodeFamilyRequest(writer, IPVS_GENL_NAME),
          operation: 'find netlink family',
          object: IPVS_GENL_NAME,
        },
        ({ payload }) => decodeFamily(payload),
      );
      this.#family = family;
    } catch (error) {
      if (!isKernelError(error, 'ENOENT')) throw error;
    }
    if (this.#family !== undefined) return this.#family;
    throw new KernelError({ errno: 'EOPNOTSUPP', operation, object, detail: 'this kernel has no ip_vs' });
  }
}

function isNothingToDelete({ op }: IpvsChange, error: KernelError): boolean {
  return (op === 'delete-service' || op === 'delete-destination') && isKernelError(error, 'ESRCH', 'ENOENT');
}
