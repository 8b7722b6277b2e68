import { FORWARD_POLICIES, type ForwardPolicy, type PodRecords, parseStubDomains, parseUpstream } from '#dns';
import {
  type IpAddress,
  type IpPrefix,
  type ListenAddress,
  parseIp,
  parseListenAddress,
  parsePrefix,
} from '#ip';
import {
  flagChoice,
  flagNumber,
  flagSeconds,
  flagText,
  flagValue,
  flagWords,
  InvalidInputError,
  LOG_LEVELS,
  type LogLevel,
  readFlags,
} from '#runtime';
import {
  DEFAULT_IPVS_OPTIONS,
  IPTABLES_VARIANT_CHOICES,
  IPVS_SCHEDULERS,
  type IptablesVariantChoice,
  type IpvsOptions,
  type NodePortAddressOption,
  PROXY_MECHANISMS,
  type ProxyMechanism,
  parseNodePortAddressOption,
} from '#service-proxy';
import { checkRanges } from './check-ranges.ts';

export interface AgentOptions {
  readonly nodeName: string;
  /** undefined: the in-cluster configuration of a Pod's service account. */
  readonly kubeconfig: string | undefined;
  /** Of all nodes' Pods; one a family, in the order that Pods' addresses have. */
  readonly clusterCidrs: readonly IpPrefix[];
  readonly serviceCidrs: readonly IpPrefix[];
  readonly clusterDns: readonly IpAddress[];
  readonly clusterDomain: string;
  /** Where names outside the cluster are asked for, resolv.conf files by their path; none: they do not exist. */
  readonly dnsUpstreams: readonly string[];
  readonly dnsPolicy: ForwardPolicy;
  /** Domains with upstreams of their own. */
  readonly dnsStubDomains: Readonly<Record<string, readonly string[]>>;
  /** A file like /etc/hosts. */
  readonly dnsHosts: string | undefined;
  /** Seconds. */
  readonly dnsTtl: number;
  readonly dnsPods: PodRecords;
  /** Answers the first question of a Pod's search list with what the whole list finds. */
  readonly dnsAutopath: boolean;
  /** Who may have the cluster's domain as a whole, by AXFR. */
  readonly dnsTransferTo: readonly IpPrefix[];
  /** The part of the queries that is logged, 0 to 1. */
  readonly dnsLogQueries: number;
  readonly runDir: string;
  readonly stateDir: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  readonly podNetwork: 'host-gw';
  readonly proxy: ProxyMechanism | 'none';
  readonly iptablesVariant: IptablesVariantChoice;
  /** Addresses of the node that answer on NodePorts. */
  readonly nodePortAddresses: NodePortAddressOption;
  readonly ipvs: IpvsOptions;
  readonly masquerade: boolean;
  /** Port 0: not at all, as for metrics. */
  readonly health: ListenAddress;
  readonly metrics: ListenAddress;
  readonly logLevel: LogLevel;
}

/** Where the agent has its files, and what it says of removing them. */
export type CleanUpOptions = Pick<
  AgentOptions,
  'runDir' | 'stateDir' | 'cniConfDir' | 'cniBinDir' | 'logLevel'
>;

export type AgentCommand =
  | { readonly kind: 'run'; readonly options: AgentOptions }
  | { readonly kind: 'cleanup'; readonly options: CleanUpOptions }
  | {
      readonly kind: 'probe';
      /** undefined: all of them. */
      readonly mechanism: ProxyMechanism | undefined;
      readonly options: Pick<AgentOptions, 'iptablesVariant' | 'ipvs'>;
    }
  | { readonly kind: 'help' };

const FLAGS = {
  'node-name': { type: 'string' },
  kubeconfig: { type: 'string' },
  'cluster-cidr': { type: 'string' },
  'service-cidr': { type: 'string' },
  'cluster-dns': { type: 'string' },
  'cluster-domain': { type: 'string', default: 'cluster.local' },
  'dns-upstreams': { type: 'string', default: '' },
  'dns-policy': { type: 'string', default: 'random' },
  'dns-stub-domains': { type: 'string', default: '' },
  'dns-hosts': { type: 'string' },
  'dns-ttl': { type: 'string', default: '5' },
  'dns-pods': { type: 'string', default: 'insecure' },
  'dns-autopath': { type: 'boolean', default: false },
  'dns-transfer-to': { type: 'string', default: '' },
  'dns-log-queries': { type: 'string', default: '0' },
  'run-dir': { type: 'string', default: '/run/podway' },
  'state-dir': { type: 'string', default: '/var/lib/podway' },
  'cni-conf-dir': { type: 'string', default: '/etc/cni/net.d' },
  'cni-bin-dir': { type: 'string', default: '/opt/cni/bin' },
  'pod-network': { type: 'string', default: 'host-gw' },
  proxy: { type: 'string' },
  'iptables-variant': { type: 'string', default: 'auto' },
  'nodeport-addresses': { type: 'string', default: 'primary' },
  'ipvs-scheduler': { type: 'string', default: DEFAULT_IPVS_OPTIONS.scheduler },
  'ipvs-grace-period': { type: 'string', default: '15m' },
  'ipvs-strict-arp': { type: 'boolean', default: DEFAULT_IPVS_OPTIONS.strictArp },
  'ipvs-direct-routing': { type: 'boolean', default: false },
  'ipvs-tcp-timeout': { type: 'string' },
  'ipvs-tcpfin-timeout': { type: 'string' },
  'ipvs-udp-timeout': { type: 'string' },
  masquerade: { type: 'boolean', default: true },
  'health-address': { type: 'string', default: '0.0.0.0:10256' },
  'metrics-address': { type: 'string', default: '127.0.0.1:10249' },
  'log-level': { type: 'string', default: 'info' },
  cleanup: { type: 'boolean', default: false },
  probe: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const REQUIRED = ['node-name', 'cluster-cidr', 'service-cidr', 'cluster-dns'] as const;

/** Reads the command line. @throws InvalidInputError that names the flag */
export function parseAgentOptions(args: readonly string[]): AgentCommand {
  const values = parse(args);
  if (values.help) return { kind: 'help' };
  const mechanisms = {
    iptablesVariant: flagChoice('--iptables-variant', values['iptables-variant'], IPTABLES_VARIANT_CHOICES),
    ipvs: ipvsOptions(values),
  };
  if (values.probe) {
    const { proxy } = values;
    const mechanism = proxy === undefined ? undefined : flagChoice('--proxy', proxy, PROXY_MECHANISMS);
    return { kind: 'probe', mechanism, options: mechanisms };
  }
  const common: CleanUpOptions = {
    runDir: directory('--run-dir', values['run-dir']),
    stateDir: directory('--state-dir', values['state-dir']),
    cniConfDir: directory('--cni-conf-dir', values['cni-conf-dir']),
    cniBinDir: directory('--cni-bin-dir', values['cni-bin-dir']),
    logLevel: flagChoice('--log-level', values['log-level'], LOG_LEVELS),
  };
  if (values.cleanup) return { kind: 'cleanup', options: common };
  const missing = REQUIRED.filter((flag) => !values[flag]).map((flag) => `--${flag}`);
  if (missing.length > 0)
    throw new InvalidInputError(
      missing.join(', '),
      '',
      `${missing.length === 1 ? 'is' : 'are'} required; see podway agent --help`,
    );
  const required = (flag: (typeof REQUIRED)[number]): string => values[flag] ?? '';
  const options: AgentOptions = {
    nodeName: flagText(
      '--node-name',
      required('node-name'),
      /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
      'a Node name',
    ),
    kubeconfig: values.kubeconfig,
    clusterCidrs: list('--cluster-cidr', required('cluster-cidr'), (text) => parsePrefix(text)),
    serviceCidrs: list('--service-cidr', required('service-cidr'), (text) => parsePrefix(text)),
    clusterDns: list('--cluster-dns', required('cluster-dns'), parseIp),
    clusterDomain: flagText(
      '--cluster-domain',
      values['cluster-domain'],
      /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
      'a DNS name in lower case',
    ),
    ...dnsOptions(values),
    ...common,
    podNetwork: flagChoice('--pod-network', values['pod-network'], ['host-gw']),
    proxy: flagChoice('--proxy', values.proxy ?? 'nftables', [...PROXY_MECHANISMS, 'none']),
    ...mechanisms,
    nodePortAddresses: parseNodePortAddressOption(values['nodeport-addresses'], '--nodeport-addresses'),
    masquerade: values.masquerade,
    health: parseListenAddress(values['health-address'], '--health-address'),
    metrics: parseListenAddress(values['metrics-address'], '--metrics-address'),
  };
  checkRanges(options.clusterCidrs, options.serviceCidrs);
  return { kind: 'run', options };
}

function parse(args: readonly string[]) {
  return readFlags('podway agent', args, FLAGS);
}

type Values = ReturnType<typeof parse>;

/** What the flags --dns-… give. */
type DnsOptions = Pick<AgentOptions, Extract<keyof AgentOptions, `dns${string}`>>;

function dnsOptions(values: Values): DnsOptions {
  return {
    dnsUpstreams: flagWords(values['dns-upstreams']).map((upstream) => {
      if (!upstream.startsWith('/')) parseUpstream(upstream, '--dns-upstreams');
      return upstream;
    }),
    dnsPolicy: flagChoice('--dns-policy', values['dns-policy'], FORWARD_POLICIES),
    dnsStubDomains: parseStubDomains(flagWords(values['dns-stub-domains']), '--dns-stub-domains'),
    dnsHosts: values['dns-hosts'],
    dnsTtl: flagNumber('--dns-ttl', values['dns-ttl'], 0, 86_400),
    dnsPods: flagChoice('--dns-pods', values['dns-pods'], ['disabled', 'insecure', 'verified']),
    dnsAutopath: values['dns-autopath'],
    dnsTransferTo: flagWords(values['dns-transfer-to']).map((text) =>
      flagValue('--dns-transfer-to', text, () => parsePrefix(text.trim())),
    ),
    dnsLogQueries: flagNumber('--dns-log-queries', values['dns-log-queries'], 0, 1),
  };
}

function ipvsOptions(values: Values): IpvsOptions {
  return {
    scheduler: flagChoice('--ipvs-scheduler', values['ipvs-scheduler'], IPVS_SCHEDULERS),
    gracePeriodMs: 1000 * flagSeconds('--ipvs-grace-period', values['ipvs-grace-period']),
    strictArp: values['ipvs-strict-arp'],
    forwarding: values['ipvs-direct-routing'] ? 'direct' : 'masquerade',
    timeouts: ipvsTimeouts(values),
  };
}

/** Timeouts that are asked for; as kube-proxy has it, 0s asks for none. */
function ipvsTimeouts(values: Values): IpvsOptions['timeouts'] {
  const timeouts = {
    tcp: 'ipvs-tcp-timeout',
    tcpFin: 'ipvs-tcpfin-timeout',
    udp: 'ipvs-udp-timeout',
  } as const;
  return Object.fromEntries(
    Object.entries(timeouts).flatMap(([name, flag]) => {
      const seconds = flagSeconds(`--${flag}`, values[flag] ?? '0s');
      return seconds === 0 ? [] : [[name, seconds]];
    }),
  );
}

function list<T>(flag: string, value: string, parseOne: (text: string) => T): readonly T[] {
  return value.split(',').map((text) => flagValue(flag, value, () => parseOne(text.trim())));
}

function directory(flag: string, value: string): string {
  return flagText(flag, value, /^\/[^\0]*$/, 'an absolute path');
}
