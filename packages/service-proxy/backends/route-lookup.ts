import type { IpAddress } from '#ip';
import { KernelError, type Route, type RoutePort } from '#kernel';

/** Where the kernel would send a packet; an address that no route leads to is an answer too. */
export class RouteLookup {
  readonly #routes: Pick<RoutePort, 'lookup'>;

  constructor(routes: Pick<RoutePort, 'lookup'>) {
    this.#routes = routes;
  }

  /** Whether packets to the address come to this host. */
  isLocal(address: IpAddress): boolean {
    return this.#of(address)?.type === 'local';
  }

  /** The link that has the address, undefined when a router is between or it is this host's own. */
  linkOf(address: IpAddress): string | undefined {
    const route = this.#of(address);
    return route?.type === 'unicast' && route.gateway === undefined ? route.link : undefined;
  }

  #of(address: IpAddress): Route | undefined {
    try {
      return this.#routes.lookup(address);
    } catch (error) {
      if (error instanceof KernelError) return undefined; // no way there
      throw error;
    }
  }
}
