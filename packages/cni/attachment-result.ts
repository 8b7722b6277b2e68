import { addressBits, familyOf, type IpFamily, type IpPrefix, parsePrefix } from '#ip';
import { BRIDGE, type Wiring } from './data-path.ts';
import type { NetworkConfig } from './network-config.ts';
import type { CniResult } from './result.ts';

const DEFAULT_ROUTES: Readonly<Record<IpFamily, IpPrefix>> = {
  IPv4: parsePrefix('0.0.0.0/0'),
  IPv6: parsePrefix('::/0'),
};

/** The part of a wiring that a result tells of; `mtu` undefined: not known, and not told. */
export type AttachedWiring = Pick<Wiring, 'attachment' | 'addresses' | 'mac'> & {
  readonly mtu: number | undefined;
};

/**
 * What ADD answers (CNI specification 1.1.0 section 5): the result of the plugins before in the chain, and behind it the bridge,
 * the link's two ends, the addresses on the Pod's end, and a default route a family.
 */
export function attachmentResult(
  { attachment, addresses, mac, mtu }: AttachedWiring,
  { prevResult, dns }: Pick<NetworkConfig, 'prevResult' | 'dns'>,
): CniResult {
  const previous = prevResult ?? { interfaces: [], ips: [], routes: [], dns: {} };
  const added = [
    { name: BRIDGE },
    { name: attachment.hostLink, ...(mtu !== undefined && { mtu }) },
    {
      name: attachment.ifName,
      ...(mac && { mac }),
      ...(mtu !== undefined && { mtu }),
      sandbox: attachment.netns,
    },
  ];
  const interfaces = [...previous.interfaces, ...added];
  return {
    interfaces,
    ips: [
      ...previous.ips,
      ...addresses.map(({ address, gateway }) => ({
        address,
        prefixLength: addressBits(familyOf(address)),
        gateway,
        interface: interfaces.length - 1,
      })),
    ],
    routes: [
      ...previous.routes,
      ...addresses.map(({ gateway }) => ({ dst: DEFAULT_ROUTES[familyOf(gateway)], gw: gateway })),
    ],
    dns: Object.keys(dns).length > 0 ? dns : previous.dns,
  };
}
