import {
  addressBits,
  familyOf,
  hostPrefix,
  type IpAddress,
  type MacAddress,
  parsePrefix,
  prefixLength,
} from '#ip';
import type { Kernel, Link, NetworkNamespace } from '#kernel';
import type { AddressRange } from './address-range.ts';
import { type Attachment, macOf, shaperLinkName } from './attachment.ts';
import { applyBandwidth, checkBandwidth } from './bandwidth.ts';
import { CNI_CODES, CniError } from './errors.ts';
import type { Bandwidth } from './network-config.ts';

export const BRIDGE = 'cni0';

/** An address of a Pod, and where it sends what is not for itself. */
export interface PodAddress {
  readonly address: IpAddress;
  readonly gateway: IpAddress;
}

export interface Wiring {
  readonly attachment: Attachment;
  readonly addresses: readonly PodAddress[];
  readonly mac: MacAddress | undefined;
  readonly mtu: number;
  readonly bandwidth: Bandwidth | undefined;
}

/**
 * The kernel's side of a Pod: a veth pair from its namespace to the node's bridge. A Pod's address is a /32 (/128) with
 * the bridge as its gateway, so that every packet passes the node's IP layer, also one to a neighbour on the same
 * bridge: Services and policies work between them without br_netfilter, and no Pod needs to resolve another.
 */
export class DataPath {
  readonly #kernel: Kernel;
  readonly #node: NetworkNamespace;

  constructor(kernel: Kernel, node: NetworkNamespace) {
    this.#kernel = kernel;
    this.#node = node;
  }

  /** Makes the bridge, its addresses and the forwarding sysctls what they should be; writes only differences. */
  prepareNode(ranges: readonly AddressRange[], mtu: number): void {
    const { links, addresses } = this.#node;
    const mac = macOf(ranges.map(({ gateway }) => gateway));
    if (links.get(BRIDGE) === undefined) links.add({ kind: 'bridge', name: BRIDGE });
    // Before it is up: an address under duplicate detection cannot ask for Pods' MAC addresses.
    this.#setSysctls(ranges);
    const bridge = links.get(BRIDGE);
    if (bridge?.up !== true || bridge.mtu !== mtu || bridge.mac !== mac)
      links.set(BRIDGE, { up: true, mtu, ...(mac && { mac }) });
    const present = addresses.list({ link: BRIDGE }).filter(({ scope }) => scope !== 'link');
    const wanted = ranges.map(({ gateway, prefix }) => ({
      link: BRIDGE,
      address: gateway,
      prefixLength: prefixLength(prefix),
    }));
    const same = (a: { address: IpAddress; prefixLength: number }, b: typeof a) =>
      a.address === b.address && a.prefixLength === b.prefixLength;
    for (const old of present) if (!wanted.some((each) => same(each, old))) addresses.delete(old);
    for (const each of wanted)
      if (!present.some((old) => same(each, old)))
        addresses.add({ ...each, ...(familyOf(each.address) === 'IPv6' && { noDad: true }) });
  }

  /** Wires the Pod. On failure nothing is left. @throws CniError 3 when there is no such namespace, 4 when it is the node's */
  async attach(wiring: Wiring): Promise<void> {
    const { attachment } = wiring;
    // What is left of an earlier try, when the record of it is lost.
    await this.detach(attachment);
    using pod = this.#open(attachment.netns);
    if (pod.inode === this.#node.inode)
      throw new CniError(
        CNI_CODES.invalidEnvironment,
        `CNI_NETNS ${attachment.netns} is the node's own network namespace`,
      );
    if (pod.links.get(attachment.ifName) !== undefined)
      throw new CniError(
        CNI_CODES.invalidEnvironment,
        `CNI_IFNAME: there is a link ${attachment.ifName} in ${attachment.netns} already`,
      );
    try {
      this.#node.batch(() => this.#makeLinks(pod, wiring));
      pod.run(() => {
        pod.batch(() => this.#configurePod(pod, wiring));
        // The node may still have the MAC address of the Pod that had the address before.
        for (const { address } of wiring.addresses)
          pod.neighbours.announce({ link: attachment.ifName, address });
      });
    } catch (error) {
      await this.detach(attachment);
      throw error;
    }
  }

  /** Takes away whatever of the attachment is there; the Pod's end goes with the node's. */
  async detach({ hostLink }: Pick<Attachment, 'hostLink'>): Promise<void> {
    const { links } = this.#node;
    await Promise.all([links.deleteAsync(hostLink), links.deleteAsync(shaperLinkName(hostLink))]);
  }

  /** What differs from what {@link attach} left, one sentence each. */
  check({ attachment, addresses, mac, bandwidth }: Omit<Wiring, 'mtu'>): readonly string[] {
    using pod = this.#open(attachment.netns);
    const bridge = this.#node.links.get(BRIDGE);
    const host = this.#node.links.get(attachment.hostLink);
    const link = pod.links.get(attachment.ifName);
    const routes = pod.routes.list();
    const held = pod.addresses.list({ link: attachment.ifName });
    return [
      ...this.checkNode(),
      ...checkLink(`the node's ${attachment.hostLink}`, host),
      ...(host !== undefined && host.master !== bridge?.index
        ? [`${attachment.hostLink} is not on ${BRIDGE}`]
        : []),
      ...checkLink(`the Pod's ${attachment.ifName}`, link),
      ...(link !== undefined && mac !== undefined && link.mac !== mac
        ? [`${attachment.ifName} has MAC ${link.mac}, not ${mac}`]
        : []),
      ...addresses.flatMap(({ address, gateway }) => [
        ...(held.some((each) => each.address === address)
          ? []
          : [`${attachment.ifName} lacks address ${address}`]),
        ...(routes.some((route) => route.gateway === gateway && prefixLength(route.destination) === 0)
          ? []
          : [`the Pod has no default route via ${gateway}`]),
      ]),
      ...checkBandwidth(this.#node.shaping, attachment.hostLink, bandwidth),
    ];
  }

  /** What differs from what {@link prepareNode} left and every Pod needs, one sentence each. */
  checkNode(): readonly string[] {
    return checkLink(`the node's bridge ${BRIDGE}`, this.#node.links.get(BRIDGE));
  }

  /** Whether the Pod's namespace and our link to it are both still there. */
  isAlive({ netns, hostLink }: Attachment): boolean {
    if (this.#node.links.get(hostLink) === undefined) return false;
    try {
      this.#kernel.openNetns(netns)[Symbol.dispose]();
      return true;
    } catch {
      return false;
    }
  }

  /** The names of host ends that are there, or of what is left of them, whoever remembers them. */
  hostLinks(): readonly string[] {
    const bridge = this.#node.links.get(BRIDGE)?.index;
    const isOurs = ({ name, master }: Link) =>
      /^(pod|ifb)[0-9a-f]{12}$/.test(name) && (master === undefined || master === bridge);
    const ours = this.#node.links.list().filter(isOurs);
    return [...new Set(ours.map(({ name }) => `pod${name.slice(3)}`))];
  }

  /** Removes the bridge and every Pod's host end. */
  remove(): void {
    for (const name of this.hostLinks())
      for (const link of [name, shaperLinkName(name)]) this.#node.links.delete(link);
    this.#node.links.delete(BRIDGE);
  }

  #makeLinks(pod: NetworkNamespace, { attachment, mac, mtu, bandwidth }: Wiring): void {
    const { hostLink, ifName } = attachment;
    const { links } = this.#node;
    links.add({
      kind: 'veth',
      name: hostLink,
      master: BRIDGE,
      mtu,
      ...(attachment.pod !== undefined && { alias: `Pod ${attachment.pod} ${ifName}` }),
      peer: { name: ifName, netns: pod, mtu, ...(mac && { mac }) },
    });
    // A Pod resolves nobody but the gateway: what one broadcasts is no other's business, and there may be hundreds.
    links.set(hostLink, { hairpin: true, flooded: false });
    if (bandwidth !== undefined) applyBandwidth(this.#node, hostLink, mtu, bandwidth);
    // Last: to limit a link that is up the kernel would have to wait for packets under way.
    links.set(hostLink, { up: true });
  }

  #configurePod(pod: NetworkNamespace, { attachment, addresses }: Wiring): void {
    const { ifName } = attachment;
    pod.links.set('lo', { up: true });
    if (addresses.some(({ address }) => familyOf(address) === 'IPv6')) enableIPv6(pod, ifName);
    // After the node's end, so that it has a carrier at once: what is sent before is lost.
    pod.links.set(ifName, { up: true });
    for (const { address, gateway } of addresses) {
      const family = familyOf(address);
      pod.addresses.add({
        link: ifName,
        address,
        prefixLength: addressBits(family),
        ...(family === 'IPv6' && { noDad: true }),
      });
      pod.routes.add({ destination: hostPrefix(gateway), link: ifName, scope: 'link' });
      pod.routes.add({
        destination: parsePrefix(family === 'IPv4' ? '0.0.0.0/0' : '::/0'),
        gateway,
        link: ifName,
      });
    }
  }

  #open(path: string): NetworkNamespace {
    try {
      return this.#kernel.openNetns(path);
    } catch (cause) {
      throw new CniError(CNI_CODES.unknownContainer, `CNI_NETNS: cannot open the network namespace ${path}`, {
        cause,
        details: cause instanceof Error ? cause.message : String(cause),
      });
    }
  }

  #setSysctls(ranges: readonly AddressRange[]): void {
    const families = new Set(ranges.map(({ family }) => family));
    const wanted: readonly (readonly [string, string])[] = [
      ...(families.has('IPv4')
        ? ([
            ['net.ipv4.ip_forward', '1'],
            // Pods talk through the bridge they came by: telling them a shorter way would lead around Services.
            ['net.ipv4.conf.all.send_redirects', '0'],
            [`net.ipv4.conf.${BRIDGE}.send_redirects`, '0'],
          ] as const)
        : []),
      ...(families.has('IPv6')
        ? ([
            ['net.ipv6.conf.all.forwarding', '1'],
            [`net.ipv6.conf.${BRIDGE}.accept_dad`, '0'],
          ] as const)
        : []),
    ];
    const { sysctl } = this.#node;
    for (const [key, value] of wanted) {
      const current = sysctl.get(key);
      if (current !== undefined && current !== value) sysctl.set(key, value);
    }
  }
}

function checkLink(what: string, link: Link | undefined): readonly string[] {
  return link === undefined ? [`${what} is gone`] : link.up ? [] : [`${what} is down`];
}

/** Container runtimes may start Pods with IPv6 off; redirects would lead around Services. */
function enableIPv6(pod: NetworkNamespace, ifName: string): void {
  for (const [key, value] of [
    ['disable_ipv6', '0'],
    ['accept_redirects', '0'],
    ['accept_dad', '0'],
  ] as const) {
    const name = `net.ipv6.conf.${ifName}.${key}`;
    const current = pod.sysctl.get(name);
    if (current !== undefined && current !== value) pod.sysctl.set(name, value);
  }
}
