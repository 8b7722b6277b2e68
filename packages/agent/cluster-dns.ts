import { readFileSync } from 'node:fs';
import {
  createDnsServer,
  type DnsServer,
  formatMetrics,
  type InheritedSocket,
  nodeResolvers,
  parseHosts,
} from '#dns';
import { addressBits, familyOf, type IpAddress } from '#ip';
import { ensureAddressHolder, type NetworkNamespace } from '#kernel';
import type { EndpointSlice, Namespace, Pod, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { type Clock, type Logger, Reconciler } from '#runtime';
import type { AgentOptions } from './options.ts';

/** Holds the cluster DNS addresses on this node, so that a Pod's question never leaves it. */
export const DNS_LINK = 'podway-dns';

const DNS_PORT = 53;

export interface ClusterDnsDeps {
  readonly netns: NetworkNamespace;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly namespaces: Informer<Namespace>;
  /** When the options want them. */
  readonly pods: Informer<Pod> | undefined;
  /** Sockets that outlive the agent, where its starter has made them. */
  readonly inherited: readonly InheritedSocket[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ClusterDns extends AsyncDisposable {
  /** In Prometheus's text format; '' until it answers. */
  formatMetrics(): string;
}

/** Whether cluster DNS needs to know of all Pods. */
export function dnsWantsPods({ dnsPods, dnsAutopath, dnsLogQueries }: AgentOptions): boolean {
  return dnsPods === 'verified' || dnsAutopath || dnsLogQueries > 0;
}

/**
 * Answers the cluster's names on this node. Tries again while it cannot bind: an agent that is just ending may still hold
 * the port, and the node's other work does not wait for it.
 */
export function startClusterDns(deps: ClusterDnsDeps, options: AgentOptions): ClusterDns {
  const { netns, services, endpointSlices, namespaces, pods, inherited, clock, logger } = deps;
  let server: DnsServer | undefined;
  const starter = new Reconciler({ name: 'cluster DNS', logger, clock }, async () => {
    prepareDnsLink(netns, options.clusterDns);
    if (server !== undefined) return;
    const outside = resolversOutside(options, logger);
    server = await createDnsServer({
      services,
      endpointSlices,
      namespaces,
      ...(pods && { pods }),
      listen: options.clusterDns.map((address) => ({ address, port: DNS_PORT })),
      inherited,
      clusterDomain: options.clusterDomain,
      upstreams: outside.upstreams,
      forwardPolicy: options.dnsPolicy,
      stubDomains: options.dnsStubDomains,
      hosts: options.dnsHosts === undefined ? [] : parseHosts(readFileSync(options.dnsHosts, 'utf8')),
      ttl: options.dnsTtl,
      reversePrefixes: [...options.clusterCidrs, ...options.serviceCidrs],
      podRecords: options.dnsPods,
      ...(options.dnsAutopath && { autopath: { furtherDomains: outside.searches } }),
      transferTo: options.dnsTransferTo,
      queryLogRate: options.dnsLogQueries,
      clock,
      logger,
    });
  });
  starter.trigger();
  return {
    formatMetrics: () => (server === undefined ? '' : formatMetrics(server.collectMetrics())),
    async [Symbol.asyncDispose]() {
      await starter[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    },
  };
}

/** The upstreams as they were given, those of resolv.conf files in their places. @throws the system's error when a file cannot be read */
function resolversOutside({ dnsUpstreams, clusterDns }: AgentOptions, logger: Logger) {
  const upstreams: string[] = [];
  const searches: string[] = [];
  for (const given of dnsUpstreams) {
    if (!given.startsWith('/')) {
      upstreams.push(given);
      continue;
    }
    const found = nodeResolvers(readFileSync(given, 'utf8'), clusterDns);
    if (found.leftOut.length > 0)
      logger.warn('these resolvers may ask cluster DNS in turn: not asking them', {
        file: given,
        resolvers: found.leftOut,
      });
    upstreams.push(...found.upstreams);
    searches.push(...found.searches);
  }
  return { upstreams, searches };
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
