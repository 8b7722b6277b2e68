import { type IpPrefix, type ListenAddress, parseListenAddress, parsePrefix } from '#ip';
import { flagChoice, flagNumber, flagValue, flagWords, LOG_LEVELS, type LogLevel, readFlags } from '#runtime';
import type { PodRecords } from '../records/cluster-zone.ts';
import { parseUpstream } from '../upstream/address.ts';
import { FORWARD_POLICIES, type ForwardPolicy } from '../upstream/forwarder.ts';
import { parseStubDomains } from '../upstream/stub-domains.ts';

export interface DnsProgramOptions {
  readonly kubeconfig: string | undefined;
  readonly listen: readonly ListenAddress[];
  readonly pages: ListenAddress | undefined;
  readonly clusterDomain: string;
  readonly reversePrefixes: readonly IpPrefix[];
  readonly upstreams: readonly string[];
  readonly resolvConf: string | undefined;
  readonly forwardPolicy: ForwardPolicy;
  readonly stubDomains: Readonly<Record<string, readonly string[]>>;
  readonly hosts: string | undefined;
  readonly podRecords: PodRecords;
  readonly autopath: boolean;
  /** Who may have the cluster's domain as a whole. */
  readonly transferTo: readonly IpPrefix[];
  readonly ttl: number;
  readonly queryLogRate: number;
  readonly logLevel: LogLevel;
}

const FLAGS = {
  kubeconfig: { type: 'string' },
  listen: { type: 'string', multiple: true },
  'metrics-address': { type: 'string', default: '127.0.0.1:9153' },
  'cluster-domain': { type: 'string', default: 'cluster.local' },
  'reverse-cidr': { type: 'string', multiple: true },
  upstream: { type: 'string', multiple: true },
  'resolv-conf': { type: 'string' },
  policy: { type: 'string', default: 'random' },
  'stub-domain': { type: 'string', multiple: true },
  hosts: { type: 'string' },
  pods: { type: 'string', default: 'insecure' },
  autopath: { type: 'boolean', default: false },
  ttl: { type: 'string', default: '5' },
  'transfer-to': { type: 'string', default: '' },
  'log-queries': { type: 'string', default: '0' },
  'log-level': { type: 'string', default: 'info' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const DNS_HELP = `podway dns: cluster DNS alone. Answers the names of Services and Pods as the Kubernetes API says, and forwards the rest.
The agent has the same inside; this is for clusters that want only DNS, and for trying it.

  podway dns [OPTION ...]

  --kubeconfig FILE          how to reach the API server; without it, as a Pod with a service account
  --listen IP:PORT           UDP and TCP; may be given again [127.0.0.1:53]
  --metrics-address IP:PORT  /metrics /health /ready; port 0: none [127.0.0.1:9153]
The cluster's names
  --cluster-domain NAME      [cluster.local]
  --reverse-cidr CIDR        addresses whose reverse names are the cluster's: of Services, of Pods; may be given again
  --pods disabled|insecure|verified   names of Pods' addresses [insecure]; verified watches all Pods
  --ttl SECONDS              of all answers [5]
Other names
  --upstream ADDRESS[:PORT]  or tls://ADDRESS[:PORT]#NAME; may be given again; none: other names do not exist
  --resolv-conf FILE         take the upstreams, and the domains for --autopath, from here
  --policy ${FORWARD_POLICIES.join('|')}   which upstream is asked first [random]
  --stub-domain DOMAIN=ADDRESS  names of this domain are asked for there; may be given again
  --hosts FILE               names and addresses as in /etc/hosts, before all else
How
  --autopath                 answer a Pod's first question with what its search list finds; watches all Pods
  --transfer-to CIDR,…       who may have all of the cluster's names at once, by AXFR; none: nobody
  --log-queries PART         log this part of the queries, 0 to 1
  --log-level ${LOG_LEVELS.join('|')}   [info]
  --help

Examples
  podway dns --kubeconfig ~/.kube/config --listen 127.0.0.1:5353 --resolv-conf /etc/resolv.conf
  dig @127.0.0.1 -p 5353 kubernetes.default.svc.cluster.local
`;

/** Reads the command line; undefined when help is asked for. @throws InvalidInputError that names the flag */
export function parseDnsOptions(args: readonly string[]): DnsProgramOptions | undefined {
  const values = readFlags('podway dns', args, FLAGS);
  if (values.help) return undefined;
  const pages = parseListenAddress(values['metrics-address'], '--metrics-address');
  const { listen = ['127.0.0.1:53'], upstream: upstreams = [] } = values;
  for (const upstream of upstreams) parseUpstream(upstream, '--upstream');
  return {
    kubeconfig: values.kubeconfig,
    listen: listen.map((text) => parseListenAddress(text, '--listen')),
    pages: pages.port === 0 ? undefined : pages,
    clusterDomain: values['cluster-domain'],
    reversePrefixes: (values['reverse-cidr'] ?? []).map((text) => prefix('--reverse-cidr', text)),
    upstreams,
    resolvConf: values['resolv-conf'],
    forwardPolicy: flagChoice('--policy', values.policy, FORWARD_POLICIES),
    stubDomains: parseStubDomains(values['stub-domain'] ?? [], '--stub-domain'),
    hosts: values.hosts,
    podRecords: flagChoice('--pods', values.pods, ['disabled', 'insecure', 'verified']),
    autopath: values.autopath,
    ttl: flagNumber('--ttl', values.ttl, 0, 86_400),
    transferTo: flagWords(values['transfer-to']).map((text) => prefix('--transfer-to', text)),
    queryLogRate: flagNumber('--log-queries', values['log-queries'], 0, 1),
    logLevel: flagChoice('--log-level', values['log-level'], LOG_LEVELS),
  };
}

function prefix(flag: string, text: string): IpPrefix {
  return flagValue(flag, text, () => parsePrefix(text.trim()));
}
