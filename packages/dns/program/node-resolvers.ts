import { type IpAddress, isIp, parseIp, parsePrefix, prefixContains } from '#ip';
import { parseResolvConf } from '../resolv-conf.ts';

/** What a node's resolv.conf says to a DNS server that runs on the node. */
export interface NodeResolvers {
  readonly upstreams: readonly string[];
  /** The domains that the node's own clients append. */
  readonly searches: readonly string[];
  /** Resolvers that are named there and not asked. */
  readonly leftOut: readonly string[];
}

const LOOPBACK = [parsePrefix('127.0.0.0/8'), parsePrefix('::1/128')];

/**
 * Reads it. A resolver on the loopback (systemd-resolved's 127.0.0.53) may well ask this server in turn, and `own`
 * addresses are this server: neither is asked.
 */
export function nodeResolvers(resolvConf: string, own: readonly IpAddress[]): NodeResolvers {
  const { nameservers, searches } = parseResolvConf(resolvConf);
  const usable = (text: string): boolean => {
    if (!isIp(text)) return false;
    const address = parseIp(text);
    return !own.includes(address) && !LOOPBACK.some((prefix) => prefixContains(prefix, address));
  };
  return {
    upstreams: nameservers.filter(usable),
    searches,
    leftOut: nameservers.filter((text) => !usable(text)),
  };
}
