import type { IpAddress, IpPrefix } from '#ip';
import type { Masquerade } from './masquerade.ts';
import type { NodeProblem } from './problem.ts';

/** Everything this node's kernel should hold for the pod network: a value that prints. */
export interface NetworkPlan {
  /** Ordered by destination; one a destination. */
  readonly routes: readonly PlannedRoute[];
  readonly masquerade: Masquerade | undefined;
  /** What the plan had to leave out, and why. */
  readonly problems: readonly NodeProblem[];
}

/** A route to a remote node's Pods. */
export interface PlannedRoute {
  readonly destination: IpPrefix;
  readonly gateway: IpAddress;
  readonly link: string;
  /** The node whose Pods it leads to; the kernel does not keep it. */
  readonly node: string;
}

/** The stable text of a plan, one line a thing: for golden files, logs and people. */
export function formatPlan(plan: NetworkPlan): string {
  return [
    ...plan.routes.map((route) => `route ${formatRoute(route)} # ${route.node}`),
    ...(plan.masquerade === undefined
      ? []
      : [
          `masquerade from ${plan.masquerade.from.join(' ')} except to ${plan.masquerade.except.join(' ')} and nodes ${plan.masquerade.nodes.join(' ')}`,
        ]),
    ...plan.problems.map(({ node, reason, message }) => `problem ${node} ${reason}: ${message}`),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

export function formatRoute(route: {
  readonly destination: IpPrefix;
  readonly gateway: IpAddress | undefined;
  readonly link: string | undefined;
}): string {
  const gateway = route.gateway === undefined ? '' : ` via ${route.gateway}`;
  return `${route.destination}${gateway}${route.link === undefined ? '' : ` dev ${route.link}`}`;
}
