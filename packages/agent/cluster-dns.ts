import { createDnsServer, type DnsServer, type InheritedSocket } from '#dns';
import { addressBits, familyOf, type IpAddress, type IpPrefix } from '#ip';
import { ensureAddressHolder, type NetworkNamespace } from '#kernel';
import type { EndpointSlice, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { type Clock, type Logger, Reconciler } from '#runtime';

/** Holds the cluster DNS addresses on this node, so that a Pod's question never leaves it. */
export const DNS_LINK = 'podway-dns';

const DNS_PORT = 53;

export interface ClusterDnsDeps {
  readonly netns: NetworkNamespace;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  /** Sockets that outlive the agent, where its starter has made them. */
  readonly inherited: readonly InheritedSocket[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ClusterDnsOptions {
  readonly addresses: readonly IpAddress[];
  readonly clusterDomain: string;
  readonly upstreams: readonly string[];
  readonly reversePrefixes: readonly IpPrefix[];
}

/**
 * Answers the cluster's names on this node. Tries again while it cannot bind: an agent that is just ending may still hold
 * the port, and the node's other work does not wait for it.
 */
export function startClusterDns(deps: ClusterDnsDeps, options: ClusterDnsOptions): AsyncDisposable {
  const { netns, services, endpointSlices, inherited, clock, logger } = deps;
  let server: DnsServer | undefined;
  const starter = new Reconciler({ name: 'cluster DNS', logger, clock }, async () => {
    prepareDnsLink(netns, options.addresses);
    server ??= await createDnsServer({
      services,
      endpointSlices,
      listen: options.addresses.map((address) => ({ address, port: DNS_PORT })),
      inherited,
      clusterDomain: options.clusterDomain,
      upstreams: options.upstreams,
      reversePrefixes: options.reversePrefixes,
      clock,
      logger,
    });
  });
  starter.trigger();
  return {
    async [Symbol.asyncDispose]() {
      await starter[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    },
  };
}

/** Makes the link and exactly these addresses on it; writes only differences. */
function prepareDnsLink({ links, addresses }: NetworkNamespace, wanted: readonly IpAddress[]): void {
  ensureAddressHolder(links, DNS_LINK);
  const present = addresses.list({ link: DNS_LINK }).filter(({ scope }) => scope !== 'link');
  for (const old of present) if (!wanted.includes(old.address)) addresses.delete(old);
  for (const address of wanted)
    if (!present.some((old) => old.address === address))
      addresses.add({
        link: DNS_LINK,
        address,
        prefixLength: addressBits(familyOf(address)),
        ...(familyOf(address) === 'IPv6' && { noDad: true }),
      });
}

export function removeDnsLink(netns: NetworkNamespace): void {
  netns.links.delete(DNS_LINK);
}
