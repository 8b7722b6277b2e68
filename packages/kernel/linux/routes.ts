import { type IpAddress, type IpFamily, prefixFamily } from '#ip';
import { isKernelError, KernelError } from '../errors.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../netlink/header-flags.ts';
import {
  decodeRoute,
  encodeRoute,
  encodeRouteDelete,
  encodeRouteDump,
  encodeRouteLookup,
  isClonedRoute,
  type RawRoute,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from '../netlink/route.ts';
import type { Route, RoutePort, RouteSpec } from '../ports/routes.ts';
import { describeRoute } from '../route-text.ts';
import type { LinkNames } from './link-names.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

interface RouteFilter {
  readonly family?: IpFamily;
  readonly table?: number;
  readonly protocol?: number;
}

export class LinuxRoutes implements RoutePort {
  readonly #socket: () => NetlinkSocket;
  readonly #names: LinkNames;

  constructor(socket: () => NetlinkSocket, names: LinkNames) {
    this.#socket = socket;
    this.#names = names;
  }

  list(filter: RouteFilter = {}): readonly Route[] {
    const nameOf = this.#names.lookup();
    try {
      return this.#socket().dump(
        {
          type: RTM_GETROUTE,
          body: (writer) => encodeRouteDump(writer, filter),
          operation: 'list',
          object: 'routes',
        },
        ({ payload }) => {
          if (isClonedRoute(payload)) return undefined;
          const raw = decodeRoute(payload);
          return raw === undefined || !passes(raw, filter) ? undefined : named(raw, nameOf);
        },
      );
    } catch (error) {
      // A table nobody has put a route in does not exist.
      if (filter.table !== undefined && isKernelError(error, 'ENOENT')) return [];
      throw error;
    }
  }

  add(route: RouteSpec): void {
    this.#put('add route', NLM_F_CREATE | NLM_F_EXCL, route);
  }

  replace(route: RouteSpec): void {
    this.#put('replace route', NLM_F_CREATE | NLM_F_REPLACE, route);
  }

  delete(route: RouteSpec): void {
    const index = route.link === undefined ? undefined : this.#names.find(route.link);
    if (route.link !== undefined && index === undefined) return;
    this.#socket().executeUnless(['ESRCH', 'ENODEV'], {
      type: RTM_DELROUTE,
      body: (writer) => encodeRouteDelete(writer, route, index),
      operation: 'delete route',
      object: describeRoute(route),
    });
  }

  lookup(
    destination: IpAddress,
    options: { readonly source?: IpAddress; readonly link?: string } = {},
  ): Route {
    const operation = 'look up route';
    const input =
      options.link === undefined ? undefined : this.#names.index(options.link, operation, destination);
    const [route] = this.#socket().query(
      {
        type: RTM_GETROUTE,
        body: (writer) => encodeRouteLookup(writer, destination, options.source, input),
        operation,
        object: `to ${destination}`,
      },
      ({ payload }) => decodeRoute(payload),
    );
    if (route === undefined)
      throw new KernelError({ errno: 'ENETUNREACH', operation, object: `to ${destination}` });
    return named(route, this.#names.lookup());
  }

  #put(operation: string, flags: number, route: RouteSpec): void {
    const object = describeRoute(route);
    const index = route.link === undefined ? undefined : this.#names.index(route.link, operation, object);
    this.#socket().put({
      type: RTM_NEWROUTE,
      flags,
      body: (writer) => encodeRoute(writer, route, index),
      operation,
      object,
    });
  }
}

/** Old kernels ignore the filters of a dump. */
function passes(route: RawRoute, { family, table, protocol }: RouteFilter): boolean {
  return (
    (family === undefined || prefixFamily(route.destination) === family) &&
    (table === undefined || route.table === table) &&
    (protocol === undefined || route.protocol === protocol)
  );
}

function named(raw: RawRoute, nameOf: (index: number) => string | undefined): Route {
  const { linkIndex, nexthops, ...route } = raw;
  return {
    ...route,
    link: linkIndex === undefined ? undefined : nameOf(linkIndex),
    ...(nexthops === undefined
      ? {}
      : {
          nexthops: nexthops.map(({ gateway, weight, linkIndex: via }) => ({
            link: nameOf(via),
            gateway,
            weight,
          })),
        }),
  };
}
