import {
  addressAt,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  ipAdd,
  prefixAddress,
  prefixContains,
  prefixFamily,
  prefixSize,
} from '#ip';
import { CNI_CODES, CniError } from './errors.ts';

/** The addresses of one Pod CIDR: the first is the node's bridge, and the gateway of its Pods. */
export interface AddressRange {
  readonly prefix: IpPrefix;
  readonly family: IpFamily;
  readonly gateway: IpAddress;
  readonly first: IpAddress;
  readonly last: IpAddress;
  /** How many Pods it has room for. */
  readonly capacity: bigint;
}

/** @throws CniError 7 when it has no room for a gateway and a Pod */
export function addressRange(prefix: IpPrefix): AddressRange {
  const size = prefixSize(prefix);
  if (size < 4n)
    throw new CniError(
      CNI_CODES.invalidConfig,
      `Pod CIDR ${prefix} is too small: it has ${size} addresses, 4 are the least`,
    );
  const family = prefixFamily(prefix);
  // IPv4's last address is the broadcast address; IPv6 has none.
  const last = addressAt(prefix, family === 'IPv4' ? size - 2n : size - 1n);
  return {
    prefix,
    family,
    gateway: addressAt(prefix, 1),
    first: addressAt(prefix, 2),
    last,
    capacity: family === 'IPv4' ? size - 3n : size - 2n,
  };
}

/** Whether a Pod may have the address. */
export function rangeHolds(range: AddressRange, address: IpAddress): boolean {
  return (
    prefixContains(range.prefix, address) &&
    address !== prefixAddress(range.prefix) &&
    address !== range.gateway &&
    (range.family === 'IPv6' || address !== addressAt(range.prefix, prefixSize(range.prefix) - 1n))
  );
}

/** The gateway of a Pod that has the address; undefined when no range is around it. */
export function gatewayOf(ranges: readonly AddressRange[], address: IpAddress): IpAddress | undefined {
  return ranges.find(({ prefix }) => prefixContains(prefix, address))?.gateway;
}

/** The range's addresses, once each, beginning after `cursor` and going round. */
export function* addressesAfter(range: AddressRange, cursor: IpAddress | undefined): Generator<IpAddress> {
  const isInside = cursor !== undefined && rangeHolds(range, cursor);
  const start = isInside && cursor !== range.last ? ipAdd(cursor, 1) : range.first;
  let address = start;
  do {
    yield address;
    address = address === range.last ? range.first : ipAdd(address, 1);
  } while (address !== start);
}
