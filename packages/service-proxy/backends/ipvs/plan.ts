import { familyOf, type IpAddress, parseIp } from '#ip';
import type { IpvsDestinationKey, IpvsDestinationSpec, IpvsService, IpvsServiceKey } from '#kernel';
import {
  type Frontend,
  isExternal,
  keyOf,
  reachableEndpoints,
  type ServiceEntry,
  type Target,
} from '../../table/entry.ts';
import { type IpvsPlacement, isLoopback } from './layout.ts';

/** A virtual server as it should be. */
export interface VirtualServer {
  readonly service: IpvsService;
  /** None: there is nothing for new connections; established ones go on. */
  readonly destinations: readonly IpvsDestinationSpec[];
  /** Endpoints that serve, whatever new connections may reach: flows without an end stay with them. */
  readonly serving: ReadonlySet<string>;
}

/** What one Service needs of the kernel beside rules. */
export interface ServicePlan {
  readonly servers: readonly VirtualServer[];
  /** Addresses that must be this node's. */
  readonly vips: readonly IpAddress[];
}

export function planService(
  entry: ServiceEntry,
  placement: IpvsPlacement,
  defaultScheduler: string,
): ServicePlan {
  const scheduler = entry.ipvs?.scheduler ?? defaultScheduler;
  const servers: VirtualServer[] = [];
  const vips = new Set<IpAddress>();
  for (const frontend of entry.frontends) {
    if (frontend.elsewhere) continue;
    if (frontend.kind === 'ClusterIP' || (isExternal(frontend) && !placement.nodesOwn.has(frontend.address)))
      vips.add(frontend.address);
    const { address, port, protocol, target, outside, affinitySeconds } = frontend;
    if (isLoopback(address)) continue;
    const key = { address, port, protocol };
    const forwarding = placement.direct.has(keyOf(frontend)) ? 'direct' : 'masquerade';
    const serving = new Set(frontend.serving.map(destinationKey));
    servers.push({
      service: serviceOf(key, scheduler, affinitySeconds),
      destinations: destinationsOf(target, forwarding),
      serving,
    });
    const mark = placement.marks.get(keyOf(frontend));
    if (mark === undefined || outside === undefined) continue;
    servers.push({
      // A persistent service of a mark would keep the port of the packet; hashing by source binds clients as well.
      service: serviceOf(
        markKey(frontend, mark),
        affinitySeconds === undefined ? scheduler : 'sh',
        undefined,
      ),
      destinations: destinationsOf(outside, forwarding),
      serving,
    });
  }
  return { servers, vips: [...vips] };
}

/** Frontends whose outside sources have destinations of their own: IPVS tells these packets by a mark. */
export function needsMark({ address, outside }: Frontend): boolean {
  return outside?.kind === 'endpoints' && !isLoopback(address);
}

/**
 * Whether packets can reach every endpoint as they are, addressed to the VIP: the port cannot change then, and one link has them all.
 * @param linkOf the link that has the address, undefined when a router is between or it is this node's own
 */
export function canBeDirect(frontend: Frontend, linkOf: (address: IpAddress) => string | undefined): boolean {
  const endpoints = reachableEndpoints(frontend);
  const [first] = endpoints;
  if (first === undefined || endpoints.some(({ port }) => port !== frontend.port)) return false;
  const link = linkOf(first.address);
  return link !== undefined && endpoints.every(({ address }) => linkOf(address) === link);
}

/** `10.96.0.1 TCP 80`, `IPv4 mark 7` */
export function serverKey(service: IpvsServiceKey): string {
  return service.mark === undefined
    ? `${service.address} ${service.protocol} ${service.port}`
    : `${familyOf(service.address)} mark ${service.mark}`;
}

export function destinationKey({ address, port }: IpvsDestinationKey): string {
  return `${address} ${port}`;
}

function markKey({ family, protocol }: Frontend, mark: number): IpvsServiceKey {
  return { address: parseIp(family === 'IPv4' ? '0.0.0.0' : '::'), port: 0, protocol, mark };
}

function serviceOf(
  key: IpvsServiceKey,
  scheduler: string,
  persistentSeconds: number | undefined,
): IpvsService {
  // Where the hash leads to a destination of weight 0, it goes on to another.
  const hashes = scheduler === 'sh' || scheduler === 'mh';
  return { ...key, scheduler, persistentSeconds, ...(hashes && { schedulerFlags: ['sched-1'] }) };
}

function destinationsOf(target: Target, forwarding: 'masquerade' | 'direct'): readonly IpvsDestinationSpec[] {
  if (target.kind !== 'endpoints') return [];
  return target.endpoints.map(({ address, port }) => ({ address, port, weight: 1, forwarding }));
}
