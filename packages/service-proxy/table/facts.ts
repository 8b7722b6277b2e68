import {
  familyOf,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
} from '#ip';
import { errorMessage, InvalidInputError } from '#runtime';

/** What a node must know of itself and of the cluster to decide where a Service's packets go. */
export interface NodeFacts {
  /** The Node object's name: endpoints of this name are local. */
  readonly name: string;
  /** The node's own addresses, the primary one of each family first. */
  readonly addresses: readonly IpAddress[];
  /** `topology.kubernetes.io/zone` of the Node. */
  readonly zone: string | undefined;
  /** Where this node's own Pods live; their replies pass this node, so their source address can stay. */
  readonly podCIDRs: readonly IpPrefix[];
  /** Where all Pods live. Empty: unknown. */
  readonly clusterCIDRs: readonly IpPrefix[];
  /** The Service range: an address in it that no Service has is answered "unreachable" instead of being routed away. */
  readonly serviceCIDRs: readonly IpPrefix[];
  /** Every address that answers on NodePorts; {@link nodePortAddresses} resolves the option. */
  readonly nodePortAddresses: readonly IpAddress[];
  /** Service addresses that something on the node itself answers (the DNS server): never translated, never refused. */
  readonly localAddresses: readonly IpAddress[];
}

/** The families this node takes part in. */
export function familiesOf(facts: NodeFacts): ReadonlySet<IpFamily> {
  return new Set([
    ...facts.addresses.map(familyOf),
    ...[...facts.podCIDRs, ...facts.clusterCIDRs, ...facts.serviceCIDRs].map(prefixFamily),
  ]);
}

const LOOPBACK: Readonly<Record<IpFamily, IpPrefix>> = {
  IPv4: parsePrefix('127.0.0.0/8'),
  IPv6: parsePrefix('::1/128'),
};

/** `primary`: the Node's own address of each family; `all`: every address but loopback; or prefixes that select addresses (`localhost`: those of loopback). */
export type NodePortAddressOption = 'primary' | 'all' | readonly IpPrefix[];

/**
 * @param option `primary`, `all`, `localhost`, or a comma-separated list of prefixes (`127.0.0.0/8,172.30.0.0/16`)
 * @param field what the option is called where it is given
 * @throws InvalidInputError
 */
export function parseNodePortAddressOption(option: string, field: string): NodePortAddressOption {
  if (option === 'primary' || option === 'all') return option;
  if (option === 'localhost') return Object.values(LOOPBACK);
  return option.split(',').map((text) => {
    try {
      return parsePrefix(text.trim());
    } catch (error) {
      throw new InvalidInputError(
        field,
        option,
        `"primary", "all", "localhost" or prefixes are expected (${errorMessage(error)})`,
      );
    }
  });
}

/** Whether the option selects loopback addresses of the family. */
export function selectsLoopback(option: NodePortAddressOption, family: IpFamily): boolean {
  return typeof option !== 'string' && option.some((prefix) => prefixesOverlap(prefix, LOOPBACK[family]));
}

/**
 * The addresses that answer on NodePorts; never ::1, from which Linux lets no packet leave by another link.
 * @param primary the Node object's addresses, first of each family first
 * @param host every address of the node's links, loopback included
 */
export function nodePortAddresses(
  option: NodePortAddressOption,
  primary: readonly IpAddress[],
  host: () => readonly IpAddress[],
): readonly IpAddress[] {
  if (option === 'primary')
    return primary.filter(
      (address, i) => primary.findIndex((other) => familyOf(other) === familyOf(address)) === i,
    );
  const selected = (address: IpAddress) =>
    option === 'all'
      ? !prefixContains(LOOPBACK[familyOf(address)], address)
      : option.some(
          (prefix) => prefixFamily(prefix) === familyOf(address) && prefixContains(prefix, address),
        );
  return [
    ...new Set(host().filter((address) => selected(address) && !prefixContains(LOOPBACK.IPv6, address))),
  ];
}
