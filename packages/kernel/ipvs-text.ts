import { familyOf, hostInUrl } from '#ip';
import type { IpvsChange, IpvsDestinationKey, IpvsServiceKey } from './ports/ipvs.ts';

/** `TCP 10.96.0.1:80`, `mark 7 IPv6` */
export function describeIpvsService(service: IpvsServiceKey): string {
  if (service.mark !== undefined) return `mark ${service.mark} ${familyOf(service.address)}`;
  return `${service.protocol} ${describeIpvsDestination(service)}`;
}

/** What a change asks, for errors and logs. */
export function describeIpvsChange(change: IpvsChange): {
  readonly operation: string;
  readonly object: string;
} {
  const operation = change.op.replace('-', ' IPVS ');
  const service = describeIpvsService(change.service);
  return {
    operation,
    object:
      'destination' in change ? `${describeIpvsDestination(change.destination)} of ${service}` : service,
  };
}

/** `10.244.1.2:8080`, `[fd00::2]:8080` */
export function describeIpvsDestination({ address, port }: IpvsDestinationKey): string {
  return `${hostInUrl(address)}:${port}`;
}
