import type { NetworkNamespace, RateLimit, ShapingPort } from '#kernel';
import { shaperLinkName } from './attachment.ts';
import type { Bandwidth } from './network-config.ts';

/** The kernel rounds what it is told to whole clock ticks. */
const TOLERANCE = 0.01;

/**
 * Limits a Pod's traffic, on the node's side where the Pod cannot change it. What the Pod receives is what the host end
 * sends: a token bucket there. What it sends arrives by the host end, where nothing can wait; so it is led through an
 * ifb link that has a token bucket.
 */
export function applyBandwidth(
  { links, shaping }: Pick<NetworkNamespace, 'links' | 'shaping'>,
  hostLink: string,
  mtu: number,
  { ingress, egress }: Bandwidth,
): void {
  if (ingress !== undefined) shaping.limit(hostLink, ingress);
  if (egress === undefined) return;
  const shaper = shaperLinkName(hostLink);
  links.add({ kind: 'ifb', name: shaper, mtu });
  // Before it is up: the kernel has to wait for packets under way, when it takes a link's queue away.
  shaping.limit(shaper, egress);
  links.set(shaper, { up: true });
  shaping.redirectIngress(hostLink, shaper);
}

/** What differs from what {@link applyBandwidth} left, one sentence each. */
export function checkBandwidth(
  shaping: ShapingPort,
  hostLink: string,
  bandwidth: Bandwidth | undefined,
): readonly string[] {
  const { ingress, egress } = bandwidth ?? {};
  const shaper = shaperLinkName(hostLink);
  return [
    ...checkLimit('receives', ingress, () => shaping.limitOf(hostLink)),
    ...checkLimit('sends', egress, () =>
      shaping.redirectOf(hostLink) === shaper ? shaping.limitOf(shaper) : undefined,
    ),
  ];
}

function checkLimit(
  what: string,
  wanted: RateLimit | undefined,
  read: () => RateLimit | undefined,
): readonly string[] {
  if (wanted === undefined) return [];
  const held = read();
  if (held === undefined) return [`nothing limits what the Pod ${what}`];
  return Math.abs(held.rate - wanted.rate) > wanted.rate * TOLERANCE
    ? [`what the Pod ${what} is limited to ${held.rate} bit/s, not ${wanted.rate}`]
    : [];
}
