import type { IpPrefix } from '#ip';
import { type NetworkNamespace, ROUTE_PROTOCOL_PODWAY, ROUTE_TABLE_MAIN } from '#kernel';
import type { Node } from '#kube-api';
import { errorMessage, type Logger } from '#runtime';
import type { PodNetworkBackend } from './backend.ts';
import { type ClusterNode, overlappingCidr, readClusterNode } from './cluster-node.ts';
import { diffRoutes, formatOperation, type RouteOperation } from './diff.ts';
import { type Masquerade, MasqueradeTable, planMasquerade } from './masquerade.ts';
import type { NetworkPlan } from './plan.ts';
import type { NodeProblem } from './problem.ts';
import { attachmentOf, type NetworkView, uplinks } from './view.ts';

export interface PodNetworkOptions {
  readonly nodeName: string;
  /** Where Pods and Services live: destinations that see a Pod's own address. */
  readonly clusterCidrs: readonly IpPrefix[];
  readonly serviceCidrs: readonly IpPrefix[];
  /** false: Pods' packets always leave with their own addresses. */
  readonly masquerade: boolean;
  /** Links that Pods are on, never the way to another node (`cni0`). */
  readonly podLinks: readonly string[];
}

export interface PodNetworkDeps {
  readonly netns: NetworkNamespace;
  readonly backend: PodNetworkBackend;
  readonly logger: Logger;
}

/** What a reconcile did. */
export interface Reconciled {
  readonly plan: NetworkPlan;
  readonly operations: readonly RouteOperation[];
  /** The plan's problems, and those that the kernel's state made. */
  readonly problems: readonly NodeProblem[];
}

/** Keeps one node's routes and masquerading as the cluster's Nodes ask. */
export class PodNetwork {
  readonly #deps: PodNetworkDeps;
  readonly #options: PodNetworkOptions;
  readonly #masquerade: MasqueradeTable;
  #reported = new Set<string>();

  constructor(deps: PodNetworkDeps, options: PodNetworkOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#masquerade = new MasqueradeTable(deps.netns.nft);
  }

  /** Writes what differs from `nodes`. Idempotent; throws KernelError after having tried every route. */
  async reconcile(nodes: readonly Node[]): Promise<Reconciled> {
    const { netns, logger } = this.#deps;
    const plan = this.plan(nodes);
    const { operations, problems } = diffRoutes(plan.routes, netns.routes.list({ table: ROUTE_TABLE_MAIN }));
    const all = [...plan.problems, ...problems];
    this.#report(all);
    const failures = operations.flatMap((operation) => {
      try {
        this.#apply(operation);
        logger.info(formatOperation(operation), { node: nodeOf(operation) });
        return [];
      } catch (error) {
        return [new Error(`${formatOperation(operation)}: ${errorMessage(error)}`, { cause: error })];
      }
    });
    // Without a Node of its own a node keeps what it has: Nodes are deleted and registered anew under running Pods.
    if (plan.masquerade !== undefined || !this.#options.masquerade)
      await this.#reconcileMasquerade(plan.masquerade);
    if (failures.length > 0)
      throw new AggregateError(failures, failures.map((failure) => failure.message).join('; '));
    return { plan, operations, problems: all };
  }

  /** What this node's kernel should hold for `nodes`; reads the node's own addresses, writes nothing. */
  plan(nodes: readonly Node[]): NetworkPlan {
    const read = nodes.map(readClusterNode);
    const { view, problems } = this.#view(read.map(({ node }) => node));
    const planned = this.#deps.backend.plan(view);
    return {
      routes: [...planned.routes].sort((a, b) => compareText(a.destination, b.destination)),
      masquerade: this.#options.masquerade ? this.#planMasquerade(view) : undefined,
      problems: [...read.flatMap((each) => each.problems), ...problems, ...planned.problems],
    };
  }

  /** The MTU that Pods' links should have: the least of the uplinks', less what the backend adds. */
  podMtu(nodes: readonly Node[]): number | undefined {
    const { view } = this.#view(nodes.map((node) => readClusterNode(node).node));
    const mtus = uplinks(view).flatMap(({ link }) => this.#deps.netns.links.get(link)?.mtu ?? []);
    return mtus.length === 0 ? undefined : Math.min(...mtus) - this.#deps.backend.overhead;
  }

  #view(nodes: readonly ClusterNode[]): {
    readonly view: NetworkView;
    readonly problems: readonly NodeProblem[];
  } {
    const { nodeName, podLinks } = this.#options;
    const local = nodes.find(({ name }) => name === nodeName) ?? {
      name: nodeName,
      addresses: [],
      podCidrs: [],
    };
    const { remotes, problems } = separate(local, nodes);
    const attachments = this.#deps.netns.addresses
      .list()
      .filter(({ link, scope }) => !podLinks.includes(link) && (scope ?? 'global') === 'global')
      .map(attachmentOf);
    return { view: { local, remotes, attachments }, problems };
  }

  #planMasquerade(view: NetworkView): Masquerade | undefined {
    const { clusterCidrs, serviceCidrs } = this.#options;
    const nodes = [view.local, ...view.remotes].flatMap(({ addresses }) => addresses);
    return planMasquerade(view.local.podCidrs, [...clusterCidrs, ...serviceCidrs], nodes);
  }

  async #reconcileMasquerade(masquerade: Masquerade | undefined): Promise<void> {
    if (await this.#masquerade.apply(masquerade))
      this.#deps.logger.info('masquerade changed', { ...masquerade });
  }

  #apply(operation: RouteOperation): void {
    const { routes } = this.#deps.netns;
    if (operation.op === 'delete') routes.delete(operation.route);
    else {
      const { destination, gateway, link } = operation.route;
      routes.replace({ destination, gateway, link, protocol: ROUTE_PROTOCOL_PODWAY });
    }
  }

  /** Each problem is said once when it comes and once when it is gone. */
  #report(problems: readonly NodeProblem[]): void {
    const { logger } = this.#deps;
    const now = new Set(problems.map(({ node, reason, message }) => `${node}: ${reason}: ${message}`));
    for (const problem of now) if (!this.#reported.has(problem)) logger.warn(`node ${problem}`);
    for (const problem of this.#reported) if (!now.has(problem)) logger.info(`solved: node ${problem}`);
    this.#reported = now;
  }
}

/** Removes all that Podway's pod network ever wrote here, whoever wrote it. */
export async function removePodNetwork({
  routes,
  nft,
}: Pick<NetworkNamespace, 'routes' | 'nft'>): Promise<void> {
  const mine = { table: ROUTE_TABLE_MAIN, protocol: ROUTE_PROTOCOL_PODWAY };
  for (const route of routes.list(mine)) routes.delete(route);
  await new MasqueradeTable(nft).apply(undefined);
}

/** The other nodes by name. A node whose Pod CIDR collides with this node's or an earlier one's is left out. */
function separate(
  local: ClusterNode,
  nodes: readonly ClusterNode[],
): { readonly remotes: readonly ClusterNode[]; readonly problems: readonly NodeProblem[] } {
  const remotes: ClusterNode[] = [];
  const problems: NodeProblem[] = [];
  const others = nodes.filter(({ name }) => name !== local.name);
  for (const node of others.sort((a, b) => compareText(a.name, b.name))) {
    const clash = [local, ...remotes].find((other) => overlappingCidr(other.podCidrs, node.podCidrs));
    if (clash === undefined) remotes.push(node);
    else
      problems.push({
        node: node.name,
        reason: 'PodCidrOverlap',
        message: `its Pod CIDR ${overlappingCidr(node.podCidrs, clash.podCidrs)} overlaps that of node ${clash.name}`,
      });
  }
  return { remotes, problems };
}

function nodeOf(operation: RouteOperation): string | undefined {
  return operation.op === 'replace' ? operation.route.node : undefined;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
