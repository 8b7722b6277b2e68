import { PodwayError } from '#runtime';
import type { IpFamily } from './family.ts';

/**
 * An IP address in its canonical text: dotted decimal for IPv4, RFC 5952 for IPv6.
 * Two equal addresses are equal strings, so an address can be a Map key, sort, print and be JSON as it is.
 * Only {@link parseIp} and {@link ipFromBytes} make one.
 */
export type IpAddress = string & { readonly __ip: unique symbol };

export class InvalidAddressError extends PodwayError {
  readonly code = 'InvalidAddress';
  readonly text: string;
  constructor(what: 'IP address' | 'IP prefix' | 'MAC address', text: string, reason: string) {
    super(`invalid ${what} ${JSON.stringify(text)}: ${reason}`);
    this.text = text;
  }
}

/** A host as it stands before a port: an IPv6 address in brackets (RFC 3986 section 3.2.2), a name as it is. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/**
 * Parses an IPv4 address (four decimals, no leading zeros) or an IPv6 address (RFC 4291 section 2.2, no zone).
 * @throws InvalidAddressError
 */
export function parseIp(text: string): IpAddress {
  const bytes = text.includes(':') ? parseIPv6(text) : parseIPv4(text);
  if (typeof bytes === 'string') throw new InvalidAddressError('IP address', text, bytes);
  return ipFromBytes(bytes);
}

export function isIp(text: string): text is IpAddress {
  try {
    return parseIp(text) === text;
  } catch {
    return false;
  }
}

export function familyOf(address: IpAddress): IpFamily {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** The address in network byte order: 4 or 16 bytes. */
export function ipToBytes(address: IpAddress): Uint8Array {
  const bytes = address.includes(':') ? parseIPv6(address) : parseIPv4(address);
  if (typeof bytes === 'string') throw new InvalidAddressError('IP address', address, bytes);
  return bytes;
}

/** @throws InvalidAddressError when `bytes` is neither 4 nor 16 long */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return bytes.join('.') as IpAddress;
  if (bytes.length !== 16)
    throw new InvalidAddressError(
      'IP address',
      Buffer.from(bytes).toString('hex'),
      'must have 4 or 16 bytes',
    );
  return formatIPv6(bytes) as IpAddress;
}

export function ipToBigInt(address: IpAddress): bigint {
  let value = 0n;
  for (const byte of ipToBytes(address)) value = (value << 8n) | BigInt(byte);
  return value;
}

/** @throws InvalidAddressError when the value does not fit the family */
export function ipFromBigInt(value: bigint, family: IpFamily): IpAddress {
  const length = family === 'IPv4' ? 4 : 16;
  if (value < 0n || value >= 1n << BigInt(length * 8))
    throw new InvalidAddressError('IP address', value.toString(), `out of range for ${family}`);
  const bytes = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return ipFromBytes(bytes);
}

/** The address `offset` places further; throws InvalidAddressError past either end of the family's space. */
export function ipAdd(address: IpAddress, offset: number | bigint): IpAddress {
  return ipFromBigInt(ipToBigInt(address) + BigInt(offset), familyOf(address));
}

/** Orders IPv4 before IPv6, then by value. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  if (a === b) return 0;
  const left = ipToBytes(a);
  const right = ipToBytes(b);
  return left.length - right.length || Buffer.compare(left, right);
}

function parseIPv4(text: string): Uint8Array | string {
  const parts = text.split('.');
  if (parts.length !== 4) return 'an IPv4 address has four decimal numbers';
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part))
      return `${JSON.stringify(part)} is not a decimal number from 0 to 255`;
    const value = Number(part);
    if (value > 255) return `${part} is more than 255`;
    bytes[i] = value;
  }
  return bytes;
}

function parseIPv6(text: string): Uint8Array | string {
  let groups = text;
  let tail: Uint8Array | undefined;
  const lastColon = text.lastIndexOf(':');
  if (text.includes('.', lastColon)) {
    const embedded = parseIPv4(text.slice(lastColon + 1));
    if (typeof embedded === 'string') return embedded;
    tail = embedded;
    groups = `${text.slice(0, lastColon + 1)}0:0`;
  }
  const halves = groups.split('::');
  if (halves.length > 2) return '"::" may appear once';
  const head = halves[0] === '' ? [] : (halves[0] ?? '').split(':');
  const rest = halves[1] === undefined || halves[1] === '' ? [] : halves[1].split(':');
  const missing = 8 - head.length - rest.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return 'an IPv6 address has eight groups';
  const all = [...head, ...Array<string>(missing).fill('0'), ...rest];
  const bytes = new Uint8Array(16);
  for (const [i, group] of all.entries()) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group))
      return `${JSON.stringify(group)} is not a group of 1 to 4 hex digits`;
    const value = Number.parseInt(group, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  }
  if (tail !== undefined) bytes.set(tail, 12);
  return bytes;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::" (the first of equals). */
function formatIPv6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > best.length) best = { start: i, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}
