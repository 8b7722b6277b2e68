import { InvalidAddressError } from './address.ts';

/** An Ethernet address in canonical text: six lower-case hex pairs with colons. */
export type MacAddress = string & { readonly __mac: unique symbol };

/** @throws InvalidAddressError */
export function parseMac(text: string): MacAddress {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text))
    throw new InvalidAddressError(
      'MAC address',
      text,
      'six hex pairs with colons are expected, as in 0a:58:0a:01:00:02',
    );
  return text.toLowerCase() as MacAddress;
}

export function macToBytes(mac: MacAddress): Uint8Array {
  return Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16));
}

/** @throws InvalidAddressError when `bytes` is not 6 long */
export function macFromBytes(bytes: Uint8Array): MacAddress {
  const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
  if (bytes.length !== 6) throw new InvalidAddressError('MAC address', text, 'must have 6 bytes');
  return text as MacAddress;
}
