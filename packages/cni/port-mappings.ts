import { familyOf, type IpAddress, type IpFamily, type IpPrefix, ipToBytes, prefixFamily } from '#ip';
import type { NftElementChange } from '#kernel';
import type { Attachment } from './attachment.ts';
import { CNI_CODES, CniError } from './errors.ts';
import type { PortMapping } from './network-config.ts';

/** Holds hostPorts, in the families ip and ip6: ours alone. */
export const HOST_PORT_TABLE = 'podway-hostport';

/** One element of the table: where packets to a host port go, or a Pod that may reach itself by one. */
export interface HostPortElement {
  readonly family: IpFamily;
  readonly set: string;
  /** As nft's JSON has it, parts joined by ` . `; so an element's name is `set key value`. */
  readonly key: readonly (IpAddress | number)[];
  readonly value: readonly (IpAddress | number)[] | undefined;
}

/** @throws CniError 102 when another attachment has a port that `wanted` asks for */
export function requireFreePorts(wanted: readonly PortMapping[], others: readonly Attachment[]): void {
  for (const mapping of wanted)
    for (const other of others)
      if (other.portMappings.some((taken) => overlaps(taken, mapping)))
        throw new CniError(
          CNI_CODES.taken,
          `host port ${mapping.hostPort}/${mapping.protocol}${mapping.hostIP === undefined ? '' : ` on ${mapping.hostIP}`} is taken by container ${other.containerId}`,
        );
}

function overlaps(a: PortMapping, b: PortMapping): boolean {
  const isSameAddress = a.hostIP === undefined || b.hostIP === undefined || a.hostIP === b.hostIP;
  return a.hostPort === b.hostPort && a.protocol === b.protocol && isSameAddress;
}

/** The elements of all attachments' mappings; a mapping applies to each of the Pod's families that its host IP allows. */
export function hostPortElements(attachments: readonly Attachment[]): readonly HostPortElement[] {
  return attachments.flatMap(({ addresses, portMappings }) =>
    addresses.flatMap((address) => {
      const family = familyOf(address);
      const fitting = portMappings.filter(
        ({ hostIP }) => hostIP === undefined || familyOf(hostIP) === family,
      );
      if (fitting.length === 0) return [];
      const translations = fitting.map(({ protocol, hostIP, hostPort, containerPort }) => ({
        family,
        set: hostIP === undefined ? `${protocol}_ports` : `${protocol}_ports_by_address`,
        key: hostIP === undefined ? [hostPort] : [hostIP, hostPort],
        value: [address, containerPort],
      }));
      return [...translations, { family, set: 'hairpins', key: [address, address], value: undefined }];
    }),
  );
}

export function elementName({ family, set, key, value }: HostPortElement): string {
  return `${family} ${set} ${key.join(' . ')}${value === undefined ? '' : ` : ${value.join(' . ')}`}`;
}

export function elementChange(op: 'add' | 'delete', element: HostPortElement): NftElementChange {
  const bytes = (part: IpAddress | number) =>
    typeof part === 'number' ? Uint8Array.of(part >> 8, part & 0xff) : ipToBytes(part);
  return {
    op,
    family: element.family === 'IPv4' ? 'ip' : 'ip6',
    table: HOST_PORT_TABLE,
    set: element.set,
    key: element.key.map(bytes),
    ...(element.value && { data: { value: element.value.map(bytes) } }),
  };
}

/** Two rules a protocol, one in each of the hooks, and one for loopback in IPv4; those for Services aside. */
const RULES: Readonly<Record<IpFamily, number>> = { IPv4: 10, IPv6: 9 };

/** Whether the rules of a table are those of {@link hostPortTable}. @param objects as nft's JSON lists it */
export function hasHostPortRules(
  objects: readonly unknown[],
  family: IpFamily,
  serviceCidrs: readonly IpPrefix[],
): boolean {
  const comments = objects.flatMap((object) => {
    const { rule } = object as { readonly rule?: { readonly comment?: string } };
    return rule === undefined ? [] : [rule.comment];
  });
  const services = ofFamily(serviceCidrs, family).map(servicesComment);
  return (
    comments.length === RULES[family] + services.length &&
    services.every((comment) => comments.includes(comment))
  );
}

function servicesComment(range: IpPrefix): string {
  return `Services ${range}`;
}

function ofFamily(prefixes: readonly IpPrefix[], family: IpFamily): readonly IpPrefix[] {
  return prefixes.filter((prefix) => prefixFamily(prefix) === family);
}

/**
 * The table without elements. It comes before Services (dstnat is -100), as a hostPort is the more particular claim. A Pod that
 * reaches itself by its host port is masqueraded, and the node's own connection to 127.0.0.1, as no Pod could answer that address;
 * nobody else is. `::1` is left alone: Linux lets it leave by no other link. Takes the place of a table that is there.
 * @param serviceCidrs their addresses may be the node's own (the DNS address; all of them where a relay or IPVS answers), and are no
 *     addresses of the node to a host port that names none
 */
export function hostPortTable(family: IpFamily, serviceCidrs: readonly IpPrefix[]): string {
  const isIPv4 = family === 'IPv4';
  const [ip, type] = isIPv4 ? ['ip', 'ipv4_addr'] : ['ip6', 'ipv6_addr'];
  const protocols = ['tcp', 'udp', 'sctp'];
  const maps = protocols.map(
    (protocol) => `  map ${protocol}_ports { type inet_service : ${type} . inet_service; }
  map ${protocol}_ports_by_address { type ${type} . inet_service : ${type} . inet_service; }
`,
  );
  const rules = [
    ...protocols.map(
      (protocol) => `dnat ${ip} to ${ip} daddr . ${protocol} dport map @${protocol}_ports_by_address`,
    ),
    ...ofFamily(serviceCidrs, family).map(
      (range) => `${ip} daddr ${range} return comment "${servicesComment(range)}"`,
    ),
    ...protocols.map((protocol) => `dnat ${ip} to ${protocol} dport map @${protocol}_ports`),
  ].map((rule) => `    ${rule}\n`);
  return `add table ${ip} ${HOST_PORT_TABLE}
delete table ${ip} ${HOST_PORT_TABLE}
table ${ip} ${HOST_PORT_TABLE} {
${maps.join('')}  set hairpins { type ${type} . ${type}; }
  chain translate {
${rules.join('')}  }
  chain prerouting {
    type nat hook prerouting priority -105; policy accept;
    fib daddr type local goto translate
  }
  chain output {
    type nat hook output priority -105; policy accept;
    fib daddr type local${isIPv4 ? '' : ' ip6 daddr != ::1'} goto translate
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ${ip} saddr . ${ip} daddr @hairpins masquerade
${isIPv4 ? '    ct status dnat ip saddr 127.0.0.0/8 oifname != "lo" masquerade\n' : ''}  }
}
`;
}
