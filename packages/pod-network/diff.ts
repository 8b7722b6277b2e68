import type { IpPrefix } from '#ip';
import { ROUTE_PROTOCOL_PODWAY, ROUTE_TABLE_MAIN, type Route } from '#kernel';
import { formatRoute, type PlannedRoute } from './plan.ts';
import type { NodeProblem } from './problem.ts';

export type RouteOperation =
  | { readonly op: 'replace'; readonly route: PlannedRoute }
  | { readonly op: 'delete'; readonly route: Route };

/**
 * What turns the observed routes into the planned ones. Only routes of our own protocol in the main table are ever
 * touched; where somebody else's route has the destination already, it stays, and that is a problem to report.
 */
export function diffRoutes(
  desired: readonly PlannedRoute[],
  observed: readonly Route[],
): { readonly operations: readonly RouteOperation[]; readonly problems: readonly NodeProblem[] } {
  const main = observed.filter((route) => route.table === ROUTE_TABLE_MAIN);
  const ours = main.filter((route) => route.protocol === ROUTE_PROTOCOL_PODWAY);
  const taken = new Map<IpPrefix, Route>(
    main
      .filter((route) => route.protocol !== ROUTE_PROTOCOL_PODWAY)
      .map((route) => [route.destination, route]),
  );
  const wanted = new Map(desired.map((route) => [route.destination, route]));
  const operations: RouteOperation[] = [];
  const problems: NodeProblem[] = [];
  for (const route of ours) if (!wanted.has(route.destination)) operations.push({ op: 'delete', route });
  for (const route of desired) {
    const foreign = taken.get(route.destination);
    if (foreign !== undefined)
      problems.push({
        node: route.node,
        reason: 'RouteTaken',
        message: `a route that Podway did not make leads elsewhere: ${formatRoute(foreign)} protocol ${foreign.protocol}; remove it, or change the Pod CIDR`,
      });
    else if (!ours.some((own) => isSame(own, route))) operations.push({ op: 'replace', route });
  }
  return { operations, problems };
}

export function formatOperation({ op, route }: RouteOperation): string {
  return `${op} route ${formatRoute(route)}`;
}

function isSame(own: Route, planned: PlannedRoute): boolean {
  return (
    own.destination === planned.destination &&
    own.gateway === planned.gateway &&
    own.link === planned.link &&
    own.type === 'unicast'
  );
}
