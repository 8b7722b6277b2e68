import type { IpAddress } from '#ip';
import type { NetworkNamespace } from '#kernel';
import { VIP_LINK } from '#service-proxy';

/** Every address of the node's links but those that are there for a Service's sake. */
export function hostAddresses({ addresses }: Pick<NetworkNamespace, 'addresses'>): readonly IpAddress[] {
  return addresses
    .list()
    .filter(({ link }) => link !== VIP_LINK)
    .map(({ address }) => address);
}
