import { type IpPrefix, prefixesOverlap, prefixFamily } from '#ip';
import { InvalidInputError } from '#runtime';

/** Pods' and Services' ranges that no cluster can have: caught here, they are a message; later, traffic that goes astray. @throws InvalidInputError */
export function checkRanges(clusterCidrs: readonly IpPrefix[], serviceCidrs: readonly IpPrefix[]): void {
  for (const [flag, ranges] of [
    ['--cluster-cidr', clusterCidrs],
    ['--service-cidr', serviceCidrs],
  ] as const)
    if (new Set(ranges.map(prefixFamily)).size < ranges.length)
      throw new InvalidInputError(flag, ranges.join(','), 'may be one range of each family, IPv4 and IPv6');
  for (const services of serviceCidrs)
    for (const pods of clusterCidrs)
      if (prefixesOverlap(services, pods))
        throw new InvalidInputError('--service-cidr', services, `overlaps --cluster-cidr ${pods}`);
}
