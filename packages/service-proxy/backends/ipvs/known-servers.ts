import type {
  IpvsChange,
  IpvsDestination,
  IpvsDestinationKey,
  IpvsDestinationSpec,
  IpvsService,
  IpvsServiceKey,
} from '#kernel';
import { destinationKey, serverKey, type VirtualServer } from './plan.ts';

interface KnownDestination {
  readonly spec: IpvsDestinationSpec;
  /** Takes no new connections since then (monotonic milliseconds) and goes when it has none left; undefined: it is wanted. */
  readonly drainingSince: number | undefined;
}

interface KnownServer {
  readonly service: IpvsService;
  readonly destinations: Map<string, KnownDestination>;
  /** There for the connections it has, and goes with its last destination. */
  readonly wanted: boolean;
}

/**
 * The virtual servers that the kernel holds for us, remembered, and the changes that lead to others. Pure but for its memory: whoever
 * asks for changes makes them.
 */
export class KnownServers {
  readonly #servers = new Map<string, KnownServer>();
  /** Keys of servers of which some destination drains. */
  readonly #draining = new Set<string>();

  get size(): number {
    return this.#servers.size;
  }

  get isDraining(): boolean {
    return this.#draining.size > 0;
  }

  get services(): readonly IpvsService[] {
    return [...this.#servers.values()].map(({ service }) => service);
  }

  /** How many destinations take no new connections and wait for those they have to end. */
  get drainingDestinations(): number {
    let count = 0;
    for (const key of this.#draining)
      for (const { drainingSince } of this.#servers.get(key)?.destinations.values() ?? [])
        if (drainingSince !== undefined) count++;
    return count;
  }

  /** Those of which some destination drains. */
  get draining(): readonly IpvsService[] {
    return [...this.#draining].flatMap((key) => this.#servers.get(key)?.service ?? []);
  }

  has(key: IpvsServiceKey): boolean {
    return this.#servers.has(serverKey(key));
  }

  /** What was found in the kernel. What has weight 0 drains from now on, until it is wanted. */
  observed(service: IpvsService, destinations: readonly IpvsDestination[], now: number): void {
    const known = new Map<string, KnownDestination>();
    for (const { address, port, weight, forwarding } of destinations) {
      const spec = { address, port, weight, forwarding };
      known.set(destinationKey(spec), { spec, drainingSince: weight === 0 ? now : undefined });
    }
    this.#remember({ service, destinations: known, wanted: true });
  }

  /** Changes after which the server is as it should be. */
  want({ service, destinations, serving }: VirtualServer, now: number): readonly IpvsChange[] {
    const before = this.#servers.get(serverKey(service));
    if (before === undefined && destinations.length === 0) return [];
    const changes: IpvsChange[] = [];
    const next = new Map<string, KnownDestination>();
    if (before === undefined) changes.push({ op: 'add-service', service });
    else if (!sameService(before.service, service)) changes.push({ op: 'set-service', service });
    for (const destination of destinations) {
      const known = before?.destinations.get(destinationKey(destination));
      if (known === undefined) changes.push({ op: 'add-destination', service, destination });
      else if (known.spec.weight !== destination.weight || known.spec.forwarding !== destination.forwarding)
        changes.push({ op: 'set-destination', service, destination });
      next.set(destinationKey(destination), { spec: destination, drainingSince: undefined });
    }
    for (const [key, known] of before?.destinations ?? []) {
      if (next.has(key)) continue;
      if (!drains(service, serving.has(key))) {
        changes.push({ op: 'delete-destination', service, destination: known.spec });
        continue;
      }
      const spec = { ...known.spec, weight: 0 };
      if (known.spec.weight !== 0) changes.push({ op: 'set-destination', service, destination: spec });
      next.set(key, { spec, drainingSince: known.drainingSince ?? now });
    }
    this.#remember({ service, destinations: next, wanted: destinations.length > 0 });
    return changes;
  }

  /** The kernel has not got a destination that was asked for. */
  leaveOut(service: IpvsServiceKey, destination: IpvsDestinationKey): void {
    this.#servers.get(serverKey(service))?.destinations.delete(destinationKey(destination));
  }

  /** A server with nothing to do goes: to be asked for, and made, when nothing leads to it any more. */
  forgetEmpty(service: IpvsServiceKey): readonly IpvsChange[] {
    const known = this.#servers.get(serverKey(service));
    return known !== undefined && !known.wanted && known.destinations.size === 0 ? this.forget(service) : [];
  }

  /** The server goes with all its connections. */
  forget(service: IpvsServiceKey): readonly IpvsChange[] {
    this.#draining.delete(serverKey(service));
    return this.#servers.delete(serverKey(service)) ? [{ op: 'delete-service', service }] : [];
  }

  /** No destination of the server takes new connections any more. */
  drain(key: IpvsServiceKey, now: number): readonly IpvsChange[] {
    const server = this.#servers.get(serverKey(key));
    if (server === undefined) return [];
    const { service, destinations } = server;
    const changes: IpvsChange[] = [];
    for (const [name, { spec, drainingSince }] of destinations) {
      const quiet = { ...spec, weight: 0 };
      if (spec.weight !== 0) changes.push({ op: 'set-destination', service, destination: quiet });
      destinations.set(name, { spec: quiet, drainingSince: drainingSince ?? now });
    }
    this.#remember({ service, destinations, wanted: false });
    return [...changes, ...this.forgetEmpty(service)];
  }

  /**
   * Removes what has drained: destinations without connections, or whose time is over, and the server when it is left without any.
   * @param found the kernel's destinations of the server
   */
  sweep(
    key: IpvsServiceKey,
    found: readonly IpvsDestination[],
    now: number,
    graceMs: number,
  ): readonly IpvsChange[] {
    const server = this.#servers.get(serverKey(key));
    if (server === undefined) return [];
    const { service, destinations, wanted } = server;
    const changes: IpvsChange[] = [];
    const busy = new Set(
      found
        .filter(({ activeConnections, inactiveConnections }) => activeConnections + inactiveConnections > 0)
        .map(destinationKey),
    );
    for (const [name, { spec, drainingSince }] of destinations) {
      if (drainingSince === undefined || (busy.has(name) && now - drainingSince < graceMs)) continue;
      changes.push({ op: 'delete-destination', service, destination: spec });
      destinations.delete(name);
    }
    this.#remember({ service, destinations, wanted });
    return [...changes, ...this.forgetEmpty(service)];
  }

  /** Whether the kernel's destinations of a server are those that are known. */
  matches(service: IpvsService, found: readonly IpvsDestination[]): boolean {
    const known = this.#servers.get(serverKey(service));
    return (
      known !== undefined &&
      known.destinations.size === found.length &&
      found.every((one) => {
        const spec = known.destinations.get(destinationKey(one))?.spec;
        return spec?.weight === one.weight && spec.forwarding === one.forwarding;
      })
    );
  }

  /** Whether the kernel's server is as it is known. */
  matchesService(found: IpvsService): boolean {
    const known = this.#servers.get(serverKey(found));
    return known !== undefined && sameService(known.service, found);
  }

  clear(): void {
    this.#servers.clear();
    this.#draining.clear();
  }

  #remember(server: KnownServer): void {
    const key = serverKey(server.service);
    this.#servers.set(key, server);
    const drains = [...server.destinations.values()].some(({ drainingSince }) => drainingSince !== undefined);
    if (drains) this.#draining.add(key);
    else this.#draining.delete(key);
  }
}

/**
 * Whether a destination that new connections no longer reach stays for those that it has. A UDP flow has no end, so it goes with its
 * endpoint; `dh` would send new connections to it.
 */
function drains({ protocol, scheduler }: IpvsService, serves: boolean): boolean {
  return scheduler !== 'dh' && (serves || protocol !== 'UDP');
}

function sameService(a: IpvsService, b: IpvsService): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.persistentSeconds === b.persistentSeconds &&
    a.persistencePrefix === b.persistencePrefix &&
    (a.onePacket ?? false) === (b.onePacket ?? false) &&
    (a.schedulerFlags ?? []).join() === (b.schedulerFlags ?? []).join()
  );
}
