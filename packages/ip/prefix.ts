import {
  familyOf,
  InvalidAddressError,
  type IpAddress,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  parseIp,
} from './address.ts';
import { addressBits, type IpFamily } from './family.ts';

/**
 * A network prefix in canonical text (`10.1.0.0/24`, `fd00::/64`): no host bit is set, so equal prefixes are equal strings.
 * Only {@link parsePrefix}, {@link prefixOf} and {@link prefixFrom} make one.
 */
export type IpPrefix = string & { readonly __prefix: unique symbol };

/**
 * Parses `ADDRESS/LENGTH`. Host bits must be zero unless `allowHostBits` (then they are cleared).
 * @throws InvalidAddressError
 */
export function parsePrefix(text: string, options: { readonly allowHostBits?: boolean } = {}): IpPrefix {
  const slash = text.indexOf('/');
  if (slash < 0) throw new InvalidAddressError('IP prefix', text, 'the length is missing, as in 10.1.0.0/24');
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length))
    throw new InvalidAddressError('IP prefix', text, `${JSON.stringify(length)} is not a length`);
  let address: IpAddress;
  try {
    address = parseIp(text.slice(0, slash));
  } catch (error) {
    throw new InvalidAddressError('IP prefix', text, error instanceof Error ? error.message : String(error));
  }
  const prefix = prefixOf(address, Number(length), text);
  if (!options.allowHostBits && prefixAddress(prefix) !== address)
    throw new InvalidAddressError('IP prefix', text, `host bits are set; the network is ${prefix}`);
  return prefix;
}

/** The prefix of `length` bits that contains `address`. @throws InvalidAddressError when the length does not fit the family */
export function prefixOf(address: IpAddress, length: number, text = `${address}/${length}`): IpPrefix {
  const bits = addressBits(familyOf(address));
  if (!Number.isInteger(length) || length < 0 || length > bits)
    throw new InvalidAddressError('IP prefix', text, `the length must be from 0 to ${bits}`);
  if (length === bits) return hostPrefix(address);
  const bytes = ipToBytes(address);
  for (let i = 0; i < bytes.length; i++) {
    const keep = Math.min(8, Math.max(0, length - 8 * i));
    bytes[i] = (bytes[i] ?? 0) & (0xff << (8 - keep));
  }
  return `${ipFromBytes(bytes)}/${length}` as IpPrefix;
}

/** The prefix that holds only this address: /32 or /128. */
export function hostPrefix(address: IpAddress): IpPrefix {
  return `${address}/${addressBits(familyOf(address))}` as IpPrefix;
}

export function prefixAddress(prefix: IpPrefix): IpAddress {
  return prefix.slice(0, prefix.indexOf('/')) as IpAddress;
}

export function prefixLength(prefix: IpPrefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

export function prefixFamily(prefix: IpPrefix): IpFamily {
  return prefix.includes(':') ? 'IPv6' : 'IPv4';
}

/** How many addresses the prefix holds, network and broadcast address included. */
export function prefixSize(prefix: IpPrefix): bigint {
  return 1n << BigInt(addressBits(prefixFamily(prefix)) - prefixLength(prefix));
}

export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  if (familyOf(address) !== prefixFamily(prefix)) return false;
  const shift = BigInt(addressBits(prefixFamily(prefix)) - prefixLength(prefix));
  return ipToBigInt(address) >> shift === ipToBigInt(prefixAddress(prefix)) >> shift;
}

export function prefixesOverlap(a: IpPrefix, b: IpPrefix): boolean {
  return prefixContains(a, prefixAddress(b)) || prefixContains(b, prefixAddress(a));
}

/**
 * The `index`-th subnet of `length` bits inside `prefix` (a node's Pod CIDR inside the cluster CIDR).
 * @throws InvalidAddressError when there is no such subnet
 */
export function subnet(prefix: IpPrefix, length: number, index: number): IpPrefix {
  const bits = addressBits(prefixFamily(prefix));
  if (length < prefixLength(prefix) || length > bits)
    throw new InvalidAddressError(
      'IP prefix',
      `${prefix} -> /${length}`,
      'the subnet does not fit the prefix',
    );
  if (index < 0 || BigInt(index) >= 1n << BigInt(length - prefixLength(prefix)))
    throw new InvalidAddressError('IP prefix', `${prefix} -> /${length} #${index}`, 'no such subnet');
  const base = ipToBigInt(prefixAddress(prefix)) + (BigInt(index) << BigInt(bits - length));
  return prefixOf(fromValue(base, prefixFamily(prefix)), length);
}

/** The `offset`-th address of the prefix; offset 1 is the usual gateway. @throws InvalidAddressError when it lies outside */
export function addressAt(prefix: IpPrefix, offset: number | bigint): IpAddress {
  const position = BigInt(offset);
  if (position < 0n || position >= prefixSize(prefix))
    throw new InvalidAddressError('IP address', `${prefix} + ${position}`, 'outside the prefix');
  return fromValue(ipToBigInt(prefixAddress(prefix)) + position, prefixFamily(prefix));
}

function fromValue(value: bigint, family: IpFamily): IpAddress {
  const bytes = new Uint8Array(addressBits(family) / 8);
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return ipFromBytes(bytes);
}
