import { addressAt, type IpAddress, type IpFamily, type IpPrefix, parsePrefix } from '#ip';

/** What a lab's addresses are of one family: ARCHITECTURE.md has them as a table. */
export interface AddressPlan {
  readonly family: IpFamily;
  /** The nodes' shared link. */
  readonly lan: IpPrefix;
  readonly outside: IpPrefix;
  /** Of Pods, a part for each node. */
  readonly clusterCidr: IpPrefix;
  readonly serviceCidr: IpPrefix;
  readonly routerOnLan: IpAddress;
  readonly routerOnOutside: IpAddress;
  readonly outsideClient: IpAddress;
  /** Of Service `kubernetes`. */
  readonly kubernetes: IpAddress;
  readonly clusterDns: IpAddress;
  /** Where the router leads to: everywhere. */
  readonly everywhere: IpPrefix;
}

/** The private ranges that kind has for its IPv6 clusters, and one for documentation (RFC 3849) outside. */
const PLANS: Readonly<Record<IpFamily, AddressPlan>> = {
  IPv4: planOf('IPv4', {
    lan: parsePrefix('172.30.0.0/16'),
    outside: parsePrefix('198.51.100.0/24'),
    clusterCidr: parsePrefix('10.244.0.0/16'),
    serviceCidr: parsePrefix('10.96.0.0/16'),
    everywhere: parsePrefix('0.0.0.0/0'),
  }),
  IPv6: planOf('IPv6', {
    lan: parsePrefix('fd00:172:30::/64'),
    outside: parsePrefix('2001:db8:51::/64'),
    clusterCidr: parsePrefix('fd00:10:244::/56'),
    serviceCidr: parsePrefix('fd00:10:96::/112'),
    everywhere: parsePrefix('::/0'),
  }),
};

function planOf(
  family: IpFamily,
  ranges: Pick<AddressPlan, 'lan' | 'outside' | 'clusterCidr' | 'serviceCidr' | 'everywhere'>,
): AddressPlan {
  const { lan, outside, serviceCidr } = ranges;
  return {
    family,
    ...ranges,
    routerOnLan: addressAt(lan, 1),
    routerOnOutside: addressAt(outside, 1),
    outsideClient: addressAt(outside, 10),
    kubernetes: addressAt(serviceCidr, 1),
    clusterDns: addressAt(serviceCidr, 10),
  };
}

/** The families of a lab, by the name that `--ip-family` has for them: the first is that of Services that ask for none. */
const FAMILIES = { ipv4: ['IPv4'], ipv6: ['IPv6'], dual: ['IPv4', 'IPv6'] } as const;

export type LabIpFamily = keyof typeof FAMILIES;
export const LAB_IP_FAMILIES = Object.keys(FAMILIES) as readonly LabIpFamily[];

/** The first is the family in which nodes reach the API server and Pods ask for names. */
export function addressPlans(ipFamily: LabIpFamily): readonly [AddressPlan, ...AddressPlan[]] {
  const [first, ...others] = FAMILIES[ipFamily];
  return [PLANS[first], ...others.map((family) => PLANS[family])];
}

export const CLUSTER_DOMAIN = 'cluster.local';

/** Where nodes and Pods reach the API server. The user's shell has another address: 127.0.0.1 and the lab's port. */
export const API_SERVER_PORT = 6443;

export const MAX_NODES = 200;

/** `node1`, `node2`, …: index counts from 1. */
export function nodeName(index: number): string {
  return `node${index}`;
}

export function nodeNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => nodeName(i + 1));
}

export function nodeAddress({ lan }: AddressPlan, index: number): IpAddress {
  return addressAt(lan, 10 + index);
}
