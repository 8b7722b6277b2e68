import { hostInUrl, type IpAddress, parseIp } from '#ip';
import { errorMessage, InvalidInputError } from '#runtime';

/** A resolver that questions are forwarded to. */
export interface UpstreamAddress {
  /** `udp` goes over to TCP for answers that do not fit. */
  readonly transport: 'udp' | 'tls';
  readonly address: IpAddress;
  readonly port: number;
  /** The name its certificate must have; without one, the certificate must be for the address. */
  readonly serverName?: string;
}

/**
 * Reads `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT` or `tls://…#SERVER-NAME`. Ports are 53, and 853 for TLS, when absent.
 * @throws InvalidInputError that names `field`
 */
export function parseUpstream(text: string, field = 'upstreams'): UpstreamAddress {
  const [, scheme, rest = '', serverName] = /^(?:(udp|tls):\/\/)?([^#/]*)(?:#([\w.-]+))?$/.exec(text) ?? [];
  const transport = scheme === 'tls' ? 'tls' : 'udp';
  if (serverName !== undefined && transport !== 'tls')
    throw new InvalidInputError(field, text, 'a server name needs tls://');
  // An IPv6 address with a port stands in brackets; without them all of it is the address.
  const [, bracketed, plain, port = transport === 'tls' ? '853' : '53'] =
    /^(?:\[([^\]]+)\]|([^:]*))(?::([0-9]{1,5}))?$/.exec(
      rest.split(':').length > 2 && !rest.startsWith('[') ? `[${rest}]` : rest,
    ) ?? [];
  if (Number(port) < 1 || Number(port) > 65535)
    throw new InvalidInputError(field, text, 'the port must be from 1 to 65535');
  try {
    const address = parseIp(bracketed ?? plain ?? '');
    return { transport, address, port: Number(port), ...(serverName !== undefined && { serverName }) };
  } catch (error) {
    throw new InvalidInputError(
      field,
      text,
      `must be an address, with :PORT or tls:// where needed (${errorMessage(error)})`,
    );
  }
}

export function formatUpstream({ transport, address, port, serverName }: UpstreamAddress): string {
  return `${transport === 'tls' ? 'tls://' : ''}${hostInUrl(address)}:${port}${serverName === undefined ? '' : `#${serverName}`}`;
}
