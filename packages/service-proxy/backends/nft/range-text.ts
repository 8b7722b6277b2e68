import { addressBits, type IpPrefix, prefixAddress, prefixFamily, prefixLength } from '#ip';

/** A prefix as a listing gives it: one address has no length. */
export function rangeText(prefix: IpPrefix): string {
  return prefixLength(prefix) === addressBits(prefixFamily(prefix)) ? prefixAddress(prefix) : prefix;
}
