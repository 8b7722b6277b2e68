import { InvalidInputError } from '#runtime';
import { type IpAddress, isIp } from './address.ts';

/** Where a server listens. */
export interface ListenAddress {
  readonly address: IpAddress;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

/**
 * `127.0.0.1:10249`, `[::1]:10249` (RFC 3986 section 3.2.2 for the brackets).
 * @param field where the text is from, `--metrics-address`
 * @throws InvalidInputError that names the field
 */
export function parseListenAddress(text: string, field: string): ListenAddress {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  if (!isIp(address) || Number(port) > 65535)
    throw new InvalidInputError(field, text, 'must be ADDRESS:PORT, or [ADDRESS]:PORT for IPv6');
  return { address, port: Number(port) };
}
