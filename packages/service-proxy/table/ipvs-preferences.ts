import type { Service } from '#kube-api';

/** How IPVS can choose a destination: names of kernel modules ip_vs_NAME. */
export const IPVS_SCHEDULERS = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'lblc',
  'lblcr',
  'sh',
  'dh',
  'sed',
  'nq',
  'mh',
] as const;
export type IpvsSchedulerName = (typeof IPVS_SCHEDULERS)[number];

const SCHEDULER_ANNOTATION = 'podway.io/ipvs-scheduler';
const FORWARDING_ANNOTATION = 'podway.io/ipvs-forwarding';
const FORWARDINGS = ['masquerade', 'direct'] as const;

/** What a Service asks of IPVS; other mechanisms pass over it. undefined: the cluster's default. */
export interface IpvsPreferences {
  readonly scheduler?: IpvsSchedulerName;
  readonly forwarding?: (typeof FORWARDINGS)[number];
}

/** Reads the annotations; what is no such value becomes a problem, and the default stays. */
export function ipvsPreferences(service: Service, problems: string[]): IpvsPreferences {
  const read = <T extends string>(annotation: string, known: readonly T[]): T | undefined => {
    const value = service.metadata?.annotations?.[annotation];
    const found = known.find((each) => each === value);
    if (value !== undefined && found === undefined)
      problems.push(`annotation ${annotation}: ${JSON.stringify(value)} is not one of ${known.join(', ')}`);
    return found;
  };
  const scheduler = read(SCHEDULER_ANNOTATION, IPVS_SCHEDULERS);
  const forwarding = read(FORWARDING_ANNOTATION, FORWARDINGS);
  return { ...(scheduler && { scheduler }), ...(forwarding && { forwarding }) };
}
