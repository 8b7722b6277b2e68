import { isIp } from '#ip';
import { InvalidInputError } from '#runtime';

/** `spec.dnsPolicy` of a Pod. */
export type DnsPolicy = 'ClusterFirst' | 'ClusterFirstWithHostNet' | 'Default' | 'None';

/** `spec.dnsConfig` of a Pod. */
export interface PodDnsConfig {
  readonly nameservers?: readonly string[];
  readonly searches?: readonly string[];
  readonly options?: readonly { readonly name?: string; readonly value?: string }[];
}

export interface ResolvConfContext {
  /** Addresses of the cluster DNS, as text; none means that no cluster DNS is configured. */
  readonly clusterDns: readonly string[];
  /** As in `cluster.local`, without a last dot. */
  readonly clusterDomain: string;
  /** The Pod's namespace. */
  readonly namespace: string;
  /** The text of the node's resolv.conf; '' when it has none. */
  readonly nodeResolvConf: string;
  /** `spec.hostNetwork`: then ClusterFirst means Default, as in Kubernetes. */
  readonly hostNetwork?: boolean;
}

export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  /** `name` or `name:value`. */
  readonly options: readonly string[];
}

export interface PodResolvConf extends ResolvConf {
  /** The file's content. */
  readonly text: string;
  /** What was left out and why, for an event on the Pod. */
  readonly warnings: readonly string[];
}

/** glibc's MAXNS: a fourth nameserver is never asked. */
const MAX_NAMESERVERS = 3;
/** Kubernetes' limits (KEP-2595): 32 search domains, 2048 characters with the spaces between them. */
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;
const MAX_NAME = 253;

/**
 * The resolv.conf of a Pod: what the policy starts from, `dnsConfig` appended (options of the same name replaced),
 * duplicates removed, then cut to what resolvers read.
 * @throws InvalidInputError when a nameserver, search domain or option could not stand in the file
 */
export function podResolvConf(
  dnsPolicy: DnsPolicy,
  dnsConfig: PodDnsConfig | undefined,
  context: ResolvConfContext,
): PodResolvConf {
  const warnings: string[] = [];
  const base = baseConfig(dnsPolicy, context, warnings);
  const nameservers = unique([...base.nameservers, ...(dnsConfig?.nameservers ?? []).map(validNameserver)]);
  const searches = unique([...base.searches, ...(dnsConfig?.searches ?? []).map(validSearch)]);
  if (nameservers.length === 0)
    throw new InvalidInputError('dnsConfig.nameservers', [], `dnsPolicy ${dnsPolicy} leaves no nameserver`);
  if (nameservers.length > MAX_NAMESERVERS)
    warnings.push(`only the first ${MAX_NAMESERVERS} of ${nameservers.length} nameservers are used`);
  const config: ResolvConf = {
    nameservers: nameservers.slice(0, MAX_NAMESERVERS),
    searches: fitSearches(searches, warnings),
    options: mergeOptions(base.options, dnsConfig?.options ?? []),
  };
  return { ...config, text: formatResolvConf(config), warnings };
}

function baseConfig(policy: DnsPolicy, context: ResolvConfContext, warnings: string[]): ResolvConf {
  switch (policy) {
    case 'None':
      return { nameservers: [], searches: [], options: [] };
    case 'Default':
      return nodeConfig(context);
    case 'ClusterFirst':
      return context.hostNetwork ? nodeConfig(context) : clusterConfig(context, warnings);
    case 'ClusterFirstWithHostNet':
      return clusterConfig(context, warnings);
  }
}

function clusterConfig(context: ResolvConfContext, warnings: string[]): ResolvConf {
  const node = parseResolvConf(context.nodeResolvConf);
  if (context.clusterDns.length === 0) {
    warnings.push('no cluster DNS address is configured: the Pod uses the resolvers of its node');
    return nodeConfig(context);
  }
  const { namespace, clusterDomain } = context;
  const own = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain].map(validSearch);
  return {
    nameservers: context.clusterDns.map(validNameserver),
    searches: unique([...own, ...node.searches]),
    options: ['ndots:5'],
  };
}

/** A node without resolvers gives its Pods the resolver of its own loopback, as glibc does for a missing file. */
function nodeConfig(context: ResolvConfContext): ResolvConf {
  const node = parseResolvConf(context.nodeResolvConf);
  return node.nameservers.length > 0 ? node : { ...node, nameservers: ['127.0.0.1'] };
}

/**
 * Reads resolv.conf(5) as glibc does: the last `search` or `domain` counts, `options` add up, comments begin with `#`
 * or `;` and what is not understood is passed over. Search domains lose their last dot; the root domain is dropped.
 */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let searches: string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) nameservers.push(values[0]);
    else if (keyword === 'search' || keyword === 'domain')
      searches = (keyword === 'domain' ? values.slice(0, 1) : values)
        .map((name) => name.replace(/\.$/, ''))
        .filter((name) => name !== '');
    else if (keyword === 'options') options.push(...values);
  }
  return { nameservers: unique(nameservers), searches: unique(searches), options: mergeOptions(options, []) };
}

function formatResolvConf({ nameservers, searches, options }: ResolvConf): string {
  const lines = nameservers.map((address) => `nameserver ${address}`);
  if (searches.length > 0) lines.unshift(`search ${searches.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

function fitSearches(searches: readonly string[], warnings: string[]): readonly string[] {
  const fitting: string[] = [];
  let characters = 0;
  for (const name of searches) {
    if (name.length > MAX_NAME) {
      warnings.push(`search domain ${name.slice(0, 30)}… is longer than ${MAX_NAME} characters and left out`);
      continue;
    }
    const more = name.length + (fitting.length > 0 ? 1 : 0);
    if (fitting.length === MAX_SEARCHES || characters + more > MAX_SEARCH_CHARACTERS) {
      warnings.push(
        `only the first ${fitting.length} search domains are used (limits: ${MAX_SEARCHES}, ${MAX_SEARCH_CHARACTERS} characters)`,
      );
      break;
    }
    fitting.push(name);
    characters += more;
  }
  return fitting;
}

function mergeOptions(
  base: readonly string[],
  added: readonly { readonly name?: string; readonly value?: string }[],
): readonly string[] {
  const byName = new Map(base.map((option) => [option.split(':', 1)[0] ?? option, option]));
  for (const { name = '', value } of added) {
    const option = value === undefined || value === '' ? name : `${name}:${value}`;
    if (!/^[\w.-]+(:[\w.-]+)?$/.test(option))
      throw new InvalidInputError('dnsConfig.options', option, 'must be a name, or a name and a value');
    byName.set(name, option);
  }
  return [...byName.values()];
}

function validNameserver(address: string): string {
  // A scope (`fe80::1%eth0`) is what glibc takes, too.
  if (!isIp(address.toLowerCase().split('%', 1)[0] ?? '') || /\s/.test(address))
    throw new InvalidInputError('dnsConfig.nameservers', address, 'must be an IP address');
  return address;
}

function validSearch(name: string): string {
  const bare = name.replace(/\.$/, '');
  // Kubernetes takes "." alone and underscores in search domains (KEP-4427).
  if (bare !== '' && !/^[A-Za-z0-9_]([\w-]*[\w])?(\.[A-Za-z0-9_]([\w-]*[\w])?)*$/.test(bare))
    throw new InvalidInputError('dnsConfig.searches', name, 'must be a domain name');
  return bare === '' ? '.' : bare;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
