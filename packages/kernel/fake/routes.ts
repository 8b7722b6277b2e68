import {
  familyOf,
  hostPrefix,
  type IpAddress,
  type IpFamily,
  prefixContains,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '#ip';
import { KernelError } from '../errors.ts';
import { defaultScope } from '../netlink/route.ts';
import {
  ROUTE_PROTOCOL_PODWAY,
  ROUTE_TABLE_MAIN,
  type Route,
  type RoutePort,
  type RouteSpec,
} from '../ports/routes.ts';
import { describeRoute } from '../route-text.ts';
import { drop, type NamespaceState } from './state.ts';

const ROUTE_TABLE_LOCAL = 255;
const ROUTE_PROTOCOL_KERNEL = 2;
const IPV6_DEFAULT_METRIC = 1024;
const UNREACHED = { unreachable: 'EHOSTUNREACH', prohibit: 'EACCES', blackhole: 'EINVAL' } as const;

export class FakeRoutes implements RoutePort {
  readonly #state: NamespaceState;

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  list(
    filter: { readonly family?: IpFamily; readonly table?: number; readonly protocol?: number } = {},
  ): readonly Route[] {
    return this.#all().filter(
      (route) =>
        (filter.family === undefined || prefixFamily(route.destination) === filter.family) &&
        (filter.table === undefined || route.table === filter.table) &&
        (filter.protocol === undefined || route.protocol === filter.protocol),
    );
  }

  add(spec: RouteSpec): void {
    const route = this.#complete('add route', spec);
    if (this.#all().some((other) => sameKey(other, route)))
      throw new KernelError({ errno: 'EEXIST', operation: 'add route', object: describeRoute(spec) });
    this.#insert(route);
  }

  replace(spec: RouteSpec): void {
    const route = this.#complete('replace route', spec);
    drop(this.#state.routes, (other) => sameKey(other, route));
    this.#insert(route);
  }

  delete(spec: RouteSpec): void {
    const table = spec.table ?? ROUTE_TABLE_MAIN;
    const route = this.#state.routes.find(
      (other) =>
        other.destination === spec.destination &&
        other.table === table &&
        (['type', 'gateway', 'link', 'metric', 'protocol', 'scope'] as const).every(
          (field) => spec[field] === undefined || spec[field] === other[field],
        ),
    );
    if (route === undefined) return;
    drop(this.#state.routes, (other) => other === route);
    this.#state.emit('route', 'del', this.#indexOf(route.link));
  }

  lookup(
    destination: IpAddress,
    options: { readonly source?: IpAddress; readonly link?: string } = {},
  ): Route {
    const operation = 'look up route';
    const object = `to ${destination}`;
    if (options.link !== undefined) this.#state.requireLink(options.link, operation, destination);
    const route = best(this.#all(), destination);
    if (route === undefined || route.type === 'throw')
      throw new KernelError({ errno: 'ENETUNREACH', operation, object });
    if (route.type === 'unreachable' || route.type === 'prohibit' || route.type === 'blackhole')
      throw new KernelError({ errno: UNREACHED[route.type], operation, object });
    const local = route.type === 'local';
    return {
      ...route,
      destination: hostPrefix(destination),
      link: local ? 'lo' : route.link,
      source: route.source ?? this.#sourceFor(route, destination),
    };
  }

  #insert(route: Route): void {
    this.#state.routes.push(route);
    this.#state.emit('route', 'new', this.#indexOf(route.link));
  }

  #indexOf(link: string | undefined): number {
    return link === undefined ? 0 : (this.#state.links.get(link)?.index ?? 0);
  }

  /** Checks a route as the kernel does and fills in what was left out. */
  #complete(operation: string, spec: RouteSpec): Route {
    const object = describeRoute(spec);
    const fail = (errno: string, detail: string) => new KernelError({ errno, operation, object, detail });
    const family = prefixFamily(spec.destination);
    const type = spec.type ?? 'unicast';
    const nextHop = type === 'unicast' || type === 'local';
    let link = spec.link === undefined ? undefined : this.#state.requireLink(spec.link, operation, object);
    if (nextHop && link === undefined && spec.gateway === undefined)
      throw fail('ENODEV', 'neither a link nor a gateway');
    if (nextHop && link !== undefined && !link.up) throw fail('ENETDOWN', 'the link is down');
    if (spec.gateway !== undefined) {
      if (family === 'IPv6' && familyOf(spec.gateway) === 'IPv4')
        throw fail('EINVAL', 'an IPv4 gateway for an IPv6 destination');
      // IPv4 takes its own address for a gateway.
      if (family === 'IPv6' && this.#state.isLocal(spec.gateway))
        throw fail('EINVAL', 'the gateway is an own address');
      if (spec.onlink && link === undefined) throw fail('EINVAL', 'onlink needs a link');
      if (!spec.onlink) {
        const isDirect = (route: Route) => route.type === 'unicast' && route.gateway === undefined;
        const direct = this.#state.routes.filter(isDirect);
        const way = best([...this.#connected(), ...direct], spec.gateway, spec.link);
        if (way?.link === undefined)
          throw fail(family === 'IPv4' ? 'ENETUNREACH' : 'EHOSTUNREACH', 'the gateway is on no link');
        link ??= this.#state.links.get(way.link);
      }
    }
    if (spec.source !== undefined && !this.#state.isLocal(spec.source))
      throw fail('EINVAL', 'the source is no own address');
    return {
      destination: spec.destination,
      type,
      gateway: spec.gateway,
      link: link?.name,
      source: spec.source,
      scope: family === 'IPv6' ? 'universe' : (spec.scope ?? defaultScope(type, spec.gateway)),
      table: spec.table ?? ROUTE_TABLE_MAIN,
      metric: spec.metric || (family === 'IPv6' ? IPV6_DEFAULT_METRIC : 0),
      mtu: spec.mtu,
      protocol: spec.protocol ?? ROUTE_PROTOCOL_PODWAY,
      onlink: spec.onlink ?? false,
    };
  }

  #all(): readonly Route[] {
    return [...this.#connected(), ...this.#state.routes];
  }

  /** The routes the kernel makes for the addresses of links that are up. */
  #connected(): readonly Route[] {
    return this.#state.addresses.flatMap(({ link, address, prefixLength: length }) => {
      if (!this.#state.links.get(link)?.up) return [];
      const v4 = familyOf(address) === 'IPv4';
      const common = {
        gateway: undefined,
        link,
        mtu: undefined,
        protocol: ROUTE_PROTOCOL_KERNEL,
        onlink: false,
      };
      const local: Route = {
        ...common,
        destination: hostPrefix(address),
        type: 'local',
        source: v4 ? address : undefined,
        scope: v4 ? 'host' : 'universe',
        table: ROUTE_TABLE_LOCAL,
        metric: 0,
      };
      if (v4 && length === 32) return [local];
      const subnet: Route = {
        ...common,
        destination: prefixOf(address, length),
        type: 'unicast',
        source: v4 ? address : undefined,
        scope: v4 ? 'link' : 'universe',
        table: ROUTE_TABLE_MAIN,
        metric: v4 ? 0 : 256,
      };
      return [local, subnet];
    });
  }

  #sourceFor({ link, gateway, type }: Route, destination: IpAddress): IpAddress | undefined {
    if (type === 'local') return destination;
    const own = this.#state.addresses.filter(
      (address) => address.link === link && familyOf(address.address) === familyOf(destination),
    );
    const near = own.find(({ address, prefixLength: length }) =>
      prefixContains(prefixOf(address, length), gateway ?? destination),
    );
    return (near ?? own[0])?.address;
  }
}

function sameKey(a: Route, b: Route): boolean {
  return a.destination === b.destination && a.metric === b.metric && a.table === b.table;
}

/** Longest prefix, then lowest metric; the local table before main. Other tables need rules, which are not modelled. */
function best(routes: readonly Route[], destination: IpAddress, link?: string): Route | undefined {
  const matching = routes.filter(
    (route) =>
      (route.table === ROUTE_TABLE_MAIN || route.table === ROUTE_TABLE_LOCAL) &&
      (link === undefined || route.link === link) &&
      prefixContains(route.destination, destination),
  );
  return matching.sort(
    (a, b) =>
      b.table - a.table || prefixLength(b.destination) - prefixLength(a.destination) || a.metric - b.metric,
  )[0];
}
