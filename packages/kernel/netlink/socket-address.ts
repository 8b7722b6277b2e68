import { familyOf, type IpAddress, ipToBytes } from '#ip';
import { InvalidInputError } from '#runtime';

export const AF_INET = 2;
export const AF_INET6 = 10;

/** `struct sockaddr_in` or `sockaddr_in6`. @throws InvalidInputError for a port outside 0 to 65535 */
export function encodeSocketAddress(address: IpAddress, port: number): Buffer {
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new InvalidInputError('port', port, 'a port is a number from 0 to 65535');
  const v4 = familyOf(address) === 'IPv4';
  const bytes = Buffer.alloc(v4 ? 16 : 28);
  bytes.writeUInt16LE(v4 ? AF_INET : AF_INET6);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(address), v4 ? 4 : 8);
  return bytes;
}
