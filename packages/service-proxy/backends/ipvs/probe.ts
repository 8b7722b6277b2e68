import { parseIp } from '#ip';
import type { IpvsPort, IpvsService, NetworkNamespace } from '#kernel';
import { errorMessage } from '#runtime';
import { type NftFeature, PROBE_TABLE, probeNft } from '../nft/probe.ts';
import { CONNTRACK_SETTING } from './settings.ts';

const FEATURES: readonly NftFeature[] = [
  {
    what: 'maps to packet marks, for externalTrafficPolicy Local',
    lines: [
      `add map ${PROBE_TABLE} k { type ipv4_addr . inet_proto . inet_service : mark; }`,
      `add chain ${PROBE_TABLE} k`,
      `add rule ${PROBE_TABLE} k meta mark set ip daddr . meta l4proto . th dport map @k`,
    ],
  },
];

/** What this machine lacks for Services by IPVS, in plain words. Leaves nothing behind. */
export async function probeIpvs(
  { ipvs, sysctl, nft }: Pick<NetworkNamespace, 'ipvs' | 'sysctl' | 'nft'>,
  scheduler: string,
): Promise<readonly string[]> {
  if (!ipvs.available())
    return ['missing: IPVS (CONFIG_IP_VS; modprobe ip_vs), or the right to use it: root on the host'];
  const missing: string[] = [];
  if (sysctl.get(CONNTRACK_SETTING) === undefined)
    missing.push(
      `missing: the setting ${CONNTRACK_SETTING} (CONFIG_IP_VS_NFCT), which the kernel shows only outside user namespaces and in network namespaces that are younger than module ip_vs`,
    );
  for (const protocol of ['TCP', 'UDP'] as const) {
    const reason = refusal(ipvs, protocol, scheduler);
    if (reason !== undefined)
      missing.push(`missing: scheduler ${scheduler} for ${protocol} (module ip_vs_${scheduler}): ${reason}`);
  }
  return [...missing, ...(await probeNft(nft, FEATURES))];
}

/** Whether the kernel has a scheduler, or can load it. */
export function hasScheduler(ipvs: IpvsPort, scheduler: string): boolean {
  return refusal(ipvs, 'TCP', scheduler) === undefined;
}

/** Why the kernel does not take such a server; undefined: it does. */
function refusal(ipvs: IpvsPort, protocol: 'TCP' | 'UDP', scheduler: string): string | undefined {
  // TEST-NET-1 (RFC 5737): nobody's service.
  const service: IpvsService = {
    ...{ address: parseIp('192.0.2.1'), port: 1, protocol, scheduler, persistentSeconds: undefined },
  };
  try {
    ipvs.addService(service);
    ipvs.deleteService(service);
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
