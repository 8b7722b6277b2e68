import type { ProxyMechanism } from '#service-proxy';

/** A node's agent, as far as a switch of its mechanism goes. */
export interface SwitchableAgent {
  /** Resolves when Services are carried so, and no longer as before. @throws Error when they are not */
  carryBy(mechanism: ProxyMechanism): Promise<void>;
}

/**
 * Has Services carried by another mechanism, one node after the other. When one node cannot, it and those before it go back, and the
 * others were never touched.
 * @throws Error the first node's
 */
export async function switchProxy(
  agents: readonly SwitchableAgent[],
  from: ProxyMechanism,
  to: ProxyMechanism,
): Promise<void> {
  const begun: SwitchableAgent[] = [];
  for (const agent of agents) {
    begun.push(agent);
    try {
      await agent.carryBy(to);
    } catch (error) {
      await Promise.allSettled(begun.map((each) => each.carryBy(from)));
      throw error;
    }
  }
}
