import { type IpAddress, ipFromBytes } from '#ip';
import { NetlinkFormatError } from './errors.ts';
import type { IpvsConnection, IpvsConnectionFilter, IpvsDestinationKey, IpvsProtocol } from './ports/ipvs.ts';

/**
 * Reads /proc/net/ip_vs_conn: a line of titles, then a line a connection, addresses and ports in hexadecimal
 * (net/netfilter/ipvs/ip_vs_conn.c, ip_vs_conn_seq_show). Lines of other protocols are left out.
 * @throws NetlinkFormatError
 */
export function parseIpvsConnections(
  text: string,
  filter: IpvsConnectionFilter = {},
): readonly IpvsConnection[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const connection = line === '' ? undefined : parseLine(line);
      return connection !== undefined && matchesIpvsFilter(connection, filter) ? [connection] : [];
    });
}

function parseLine(line: string): IpvsConnection | undefined {
  const [protocol = '', client = '', clientPort = '', virtual = '', virtualPort = '', ...rest] = line
    .trim()
    .split(/\s+/);
  const [destination = '', destinationPort = '', state = '', timeout = ''] = rest;
  if (!isProtocol(protocol)) return undefined;
  return {
    service: { address: parseAddress(virtual, line), port: parseNumber(virtualPort, 16, line), protocol },
    client: parseAddress(client, line),
    clientPort: parseNumber(clientPort, 16, line),
    destination: { address: parseAddress(destination, line), port: parseNumber(destinationPort, 16, line) },
    state,
    timeout: parseNumber(timeout, 10, line),
  };
}

function isProtocol(text: string): text is IpvsProtocol {
  return text === 'TCP' || text === 'UDP' || text === 'SCTP';
}

/** 8 digits, or an IPv6 address of 8 groups of 4. */
function parseAddress(text: string, line: string): IpAddress {
  const digits = text.replaceAll(':', '');
  if (!/^([0-9a-f]{8}|[0-9a-f]{32})$/i.test(digits)) throw malformed(line);
  return ipFromBytes(Buffer.from(digits, 'hex'));
}

function parseNumber(text: string, radix: 10 | 16, line: string): number {
  if (!(radix === 16 ? /^[0-9a-f]+$/i : /^\d+$/).test(text)) throw malformed(line);
  return Number.parseInt(text, radix);
}

function malformed(line: string): NetlinkFormatError {
  return new NetlinkFormatError(`ip_vs_conn: not a connection: ${JSON.stringify(line)}`);
}

export function matchesIpvsFilter(
  connection: IpvsConnection,
  { service, destination }: IpvsConnectionFilter,
): boolean {
  return (
    (service === undefined ||
      (same(connection.service, service) && connection.service.protocol === service.protocol)) &&
    (destination === undefined || same(connection.destination, destination))
  );
}

function same(a: IpvsDestinationKey, b: IpvsDestinationKey): boolean {
  return a.address === b.address && a.port === b.port;
}
