import { addressBits, familyOf, type IpAddress, ipToBytes, parseIp } from '#ip';
import { KernelError } from '../errors.ts';
import { checkIpvsChange, checkIpvsTimeouts } from '../ipvs-check.ts';
import { matchesIpvsFilter } from '../ipvs-connections.ts';
import { SingleIpvsChanges } from '../ipvs-single-changes.ts';
import { describeIpvsChange, describeIpvsDestination, describeIpvsService } from '../ipvs-text.ts';
import type {
  IpvsChange,
  IpvsConnection,
  IpvsConnectionFilter,
  IpvsDestination,
  IpvsDestinationSpec,
  IpvsPort,
  IpvsService,
  IpvsServiceKey,
  IpvsTimeouts,
} from '../ports/ipvs.ts';
import { drop, type FakeIpvsService, type NamespaceState } from './state.ts';

const SCHEDULERS: readonly string[] = [
  ...['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh', 'fo', 'ovf', 'twos'],
];

const UNSPECIFIED = { IPv4: parseIp('0.0.0.0'), IPv6: parseIp('::') } as const;

/** No traffic makes connections here: tests put them in with {@link addConnection}, and destinations count them. */
export class FakeIpvs extends SingleIpvsChanges implements IpvsPort {
  readonly #state: NamespaceState;

  constructor(state: NamespaceState) {
    super();
    this.#state = state;
  }

  /** Makes this namespace one of a kernel without ip_vs, or with it again. */
  setAvailable(available: boolean): void {
    this.#state.ipvsAvailable = available;
  }

  addConnection(connection: IpvsConnection): void {
    this.#state.ipvsConnections.push(connection);
  }

  endConnections(filter: IpvsConnectionFilter = {}): void {
    drop(this.#state.ipvsConnections, (connection) => matchesIpvsFilter(connection, filter));
  }

  available(): boolean {
    return this.#state.ipvsAvailable;
  }

  async listServices(): Promise<readonly IpvsService[]> {
    this.#require('list', 'IPVS services');
    return [...this.#state.ipvsServices.values()].map(({ service }) => service);
  }

  listDestinations(service: IpvsServiceKey): readonly IpvsDestination[] {
    this.#require('list IPVS destinations of', describeIpvsService(service));
    const found = this.#state.ipvsServices.get(describeIpvsService(service));
    return [...(found?.destinations.values() ?? [])].map((destination) => {
      const all = this.#state.ipvsConnections.filter((connection) =>
        matchesIpvsFilter(connection, { service, destination }),
      );
      const templates = all.filter(({ clientPort }) => clientPort === 0).length;
      const active = all.filter(({ state }) => state === 'ESTABLISHED').length;
      return {
        ...destination,
        activeConnections: active,
        inactiveConnections: all.length - templates - active,
        persistentConnections: templates,
      };
    });
  }

  change(changes: readonly IpvsChange[]): void {
    for (const change of changes) checkIpvsChange(change);
    for (const change of changes) {
      const { operation, object } = describeIpvsChange(change);
      this.#require(operation, object);
      const errno = this.#make(change);
      if (errno !== undefined) throw new KernelError({ errno, operation, object });
    }
  }

  flush(): void {
    this.#require('delete all', 'IPVS services');
    this.#state.ipvsServices.clear();
  }

  timeouts(): IpvsTimeouts {
    this.#require('read', 'IPVS timeouts');
    return this.#state.ipvsTimeouts;
  }

  setTimeouts(timeouts: Partial<IpvsTimeouts>): void {
    checkIpvsTimeouts(timeouts);
    this.#require('set', 'IPVS timeouts');
    this.#state.ipvsTimeouts = { ...this.#state.ipvsTimeouts, ...timeouts };
  }

  async connections(filter: IpvsConnectionFilter = {}): Promise<readonly IpvsConnection[]> {
    this.#require('list', 'IPVS connections');
    return this.#state.ipvsConnections.filter((connection) => matchesIpvsFilter(connection, filter));
  }

  /** Makes a change, or returns the errno name of why not. */
  #make(change: IpvsChange): string | undefined {
    const services = this.#state.ipvsServices;
    const key = describeIpvsService(change.service);
    const found = services.get(key);
    switch (change.op) {
      case 'add-service':
      case 'set-service': {
        if (change.op === 'add-service' && found !== undefined) return 'EEXIST';
        if (change.op === 'set-service' && found === undefined) return 'ESRCH';
        if (!SCHEDULERS.includes(change.service.scheduler)) return 'ENOENT';
        services.set(key, {
          service: normal(change.service),
          destinations: found?.destinations ?? new Map(),
        });
        return undefined;
      }
      case 'delete-service':
        services.delete(key);
        return undefined;
      case 'add-destination':
      case 'set-destination':
        if (found === undefined) return 'ESRCH';
        return placeDestination(found, change.op, change.destination, this.#hasIpv4());
      case 'delete-destination':
        found?.destinations.delete(describeIpvsDestination(change.destination));
        return undefined;
    }
  }

  /** The kernel judges an IPv4 address by a table that the first address of the namespace makes; `lo` has one when it is up. */
  #hasIpv4(): boolean {
    const { addresses, links } = this.#state;
    return links.get('lo')?.up === true || addresses.some(({ address }) => familyOf(address) === 'IPv4');
  }

  #require(operation: string, object: string): void {
    if (!this.#state.ipvsAvailable)
      throw new KernelError({ errno: 'EOPNOTSUPP', operation, object, detail: 'this kernel has no ip_vs' });
  }
}

function placeDestination(
  { service, destinations }: FakeIpvsService,
  op: 'add-destination' | 'set-destination',
  { address, port, weight, forwarding }: IpvsDestinationSpec,
  hasIpv4: boolean,
): string | undefined {
  // Only a tunnel carries one family in the other.
  if (familyOf(address) !== familyOf(service.address) && forwarding !== 'tunnel') return 'EINVAL';
  const key = describeIpvsDestination({ address, port });
  if (op === 'add-destination' && destinations.has(key)) return 'EEXIST';
  if (op === 'set-destination' && !destinations.has(key)) return 'ENOENT';
  if (!canBeDestination(address) || (familyOf(address) === 'IPv4' && !hasIpv4)) return 'EINVAL';
  destinations.set(key, {
    ...{ address, port, weight, forwarding },
    ...{ activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 },
  });
  return undefined;
}

/** Neither unspecified, broadcast nor multicast; in IPv6 not link-local. */
function canBeDestination(address: IpAddress): boolean {
  const [first = 0, second = 0, ...rest] = ipToBytes(address);
  if (familyOf(address) === 'IPv4')
    return (first & 0xf0) !== 0xe0 && address !== '0.0.0.0' && address !== '255.255.255.255';
  return (
    first !== 0xff &&
    !(first === 0xfe && (second & 0xc0) === 0x80) &&
    [first, second, ...rest].some((byte) => byte !== 0)
  );
}

/** As the kernel gives a service back: what has no effect is left out. */
function normal(service: IpvsService): IpvsService {
  const { scheduler, persistentSeconds, persistencePrefix, schedulerFlags, mark } = service;
  const address = mark === undefined ? service.address : UNSPECIFIED[familyOf(service.address)];
  const narrow = persistencePrefix !== undefined && persistencePrefix < addressBits(familyOf(address));
  return {
    ...(mark === undefined
      ? { address, port: service.port, protocol: service.protocol }
      : { address, port: 0, protocol: 'TCP', mark }),
    ...{ scheduler, persistentSeconds },
    ...(narrow ? { persistencePrefix } : {}),
    ...(schedulerFlags !== undefined && schedulerFlags.length > 0
      ? { schedulerFlags: [...new Set(schedulerFlags)].sort() }
      : {}),
    ...(service.onePacket ? { onePacket: true } : {}),
  };
}
