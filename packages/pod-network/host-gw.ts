import type { PodNetworkBackend } from './backend.ts';
import type { PlannedRoute } from './plan.ts';
import type { NodeProblem } from './problem.ts';
import { addressFor, attachmentTo, type NetworkView } from './view.ts';

/**
 * Every node is the gateway of its own Pods: one route per remote Pod CIDR, via that node's address on the shared link.
 * Nothing is wrapped or rewritten, so it needs all nodes on one link; a node behind a router is reported, not guessed at.
 */
export const hostGw: PodNetworkBackend = {
  name: 'host-gw',
  overhead: 0,
  plan(view) {
    const routes: PlannedRoute[] = [];
    const problems: NodeProblem[] = [];
    for (const node of view.remotes)
      for (const destination of node.podCidrs) {
        const gateway = addressFor(node, destination);
        if (typeof gateway !== 'string') {
          problems.push(gateway);
          continue;
        }
        const attachment = attachmentTo(view, gateway);
        if (attachment === undefined) problems.push(notOnLink(view, node.name, gateway));
        else routes.push({ destination, gateway, link: attachment.link, node: node.name });
      }
    return { routes, problems };
  },
};

function notOnLink(view: NetworkView, node: string, gateway: string): NodeProblem {
  const links = view.attachments.map(({ address, prefix, link }) => `${address} in ${prefix} on ${link}`);
  return {
    node,
    reason: 'NotOnLink',
    message: `host-gw needs every node on one link, but ${gateway} is on none of this node's (${links.join('; ') || 'it has no address'})`,
  };
}
