import type { IpvsForwarding, IpvsTimeouts } from '#kernel';
import type { IpvsSchedulerName } from '../../table/ipvs-preferences.ts';

export interface IpvsOptions {
  /** For Services that do not name one. */
  readonly scheduler: IpvsSchedulerName;
  /** How long connections to an endpoint that is no longer one may go on, milliseconds. */
  readonly gracePeriodMs: number;
  /** Answer ARP only for addresses of the link that was asked, so that a load balancer's address is announced by one node alone. */
  readonly strictArp: boolean;
  /** For Services that do not name one: `direct` where it can be. */
  readonly forwarding: Extract<IpvsForwarding, 'masquerade' | 'direct'>;
  /** What is left out stays as the kernel has it. */
  readonly timeouts: Partial<IpvsTimeouts>;
}

export const DEFAULT_IPVS_OPTIONS: IpvsOptions = {
  scheduler: 'rr',
  gracePeriodMs: 15 * 60_000,
  strictArp: false,
  forwarding: 'masquerade',
  timeouts: {},
};
