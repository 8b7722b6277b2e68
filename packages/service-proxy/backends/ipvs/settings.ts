import type { IpFamily } from '#ip';
import type { IpvsPort, IpvsTimeouts, SysctlPort } from '#kernel';
import { errorMessage, PodwayError } from '#runtime';

/** A setting of the kernel without which IPVS cannot carry Services. */
export class IpvsSettingError extends PodwayError {
  readonly code = 'IpvsSetting';
  readonly setting: string;
  constructor(setting: string, value: string, why: string, cause: unknown) {
    super(`${setting} must be ${value} (${why}), and cannot be set: ${errorMessage(cause)}`, { cause });
    this.setting = setting;
  }
}

interface Setting {
  readonly key: string;
  readonly value: string;
  readonly why: string;
  /** Services cannot be carried without it. */
  readonly needed: boolean;
  /** Values that are as good. */
  readonly enough?: readonly string[];
}

const IPVS_SETTINGS: readonly Setting[] = [
  {
    ...{ key: 'net.ipv4.vs.conntrack', value: '1', needed: true },
    why: 'masquerading looks at tracked connections',
  },
  {
    ...{ key: 'net.ipv4.vs.expire_nodest_conn', value: '1', needed: false },
    why: 'a packet of a connection to an endpoint that is gone must not vanish',
  },
  {
    ...{ key: 'net.ipv4.vs.expire_quiescent_template', value: '1', needed: false },
    why: 'session affinity must not lead to an endpoint that has left',
  },
  {
    // Since Linux 5.9 this costs no dropped SYN (commit f0a5e4d7a594); before, 0 led to dead endpoints and 1 to a second of delay.
    ...{ key: 'net.ipv4.vs.conn_reuse_mode', value: '1', needed: false },
    why: 'a client that uses its port again must reach a living endpoint',
  },
];

const FORWARDING: Readonly<Record<IpFamily, Setting>> = {
  IPv4: {
    ...{ key: 'net.ipv4.ip_forward', value: '1', needed: true },
    why: 'answers of endpoints pass through this node',
  },
  IPv6: {
    ...{ key: 'net.ipv6.conf.all.forwarding', value: '1', needed: true },
    why: 'answers of endpoints pass through this node',
  },
};

const STRICT_ARP: readonly Setting[] = [
  {
    ...{ key: 'net.ipv4.conf.all.arp_ignore', value: '1', enough: ['2', '3', '8'], needed: false },
    why: '--ipvs-strict-arp: no ARP answer for VIPs',
  },
  {
    ...{ key: 'net.ipv4.conf.all.arp_announce', value: '2', needed: false },
    why: '--ipvs-strict-arp: no ARP question from VIPs',
  },
];

/**
 * Bridged packets pass the firewall, where IPv6 fragments are put together; the largest one's size is forgotten on the way to the IP layer
 * (net/bridge/br_netfilter_ipv6.c), and IPVS (__mtu_check_toobig_v6) takes the datagram for one that no link can carry.
 */
const BRIDGED_IPV6 = 'net.bridge.bridge-nf-call-ip6tables';

export const CONNTRACK_SETTING = 'net.ipv4.vs.conntrack';

/** What {@link applySettings} has come to. */
export interface SettingsReport {
  /** How many were set. */
  readonly writes: number;
  /** What Services can live without: what could not be set, and what others have set for their own ends. */
  readonly problems: readonly string[];
  /** Whether all the others are still as they must be. */
  hold(): boolean;
}

/** Sets what is not as it must be. @throws IpvsSettingError */
export function applySettings(
  sysctl: SysctlPort,
  families: Iterable<IpFamily>,
  strictArp: boolean,
): SettingsReport {
  let writes = 0;
  const problems: string[] = [];
  const inForce: Setting[] = [];
  const holds = ({ key, value, enough = [] }: Setting) =>
    [value, ...enough].some((one) => one === sysctl.get(key));
  const settings = [
    ...IPVS_SETTINGS,
    ...[...families].map((family) => FORWARDING[family]),
    ...(strictArp ? STRICT_ARP : []),
  ];
  for (const setting of settings) {
    const { key, value, why, needed } = setting;
    try {
      if (!holds(setting)) {
        sysctl.set(key, value);
        writes++;
      }
      inForce.push(setting);
    } catch (error) {
      if (needed) throw new IpvsSettingError(key, value, why, error);
      problems.push(`${key} should be ${value} (${why}), and cannot be set: ${errorMessage(error)}`);
    }
  }
  if ([...families].includes('IPv6') && sysctl.get(BRIDGED_IPV6) === '1')
    problems.push(
      `${BRIDGED_IPV6} is 1: IPv6 datagrams in fragments do not reach Services from Pods; set it to 0 unless a bridge of this node needs it`,
    );
  return { writes, problems, hold: () => inForce.every(holds) };
}

/** Sets the timeouts that are given; the others stay as the kernel has them. @returns how much was written */
export function applyTimeouts(ipvs: IpvsPort, timeouts: Partial<IpvsTimeouts>): number {
  if (Object.keys(timeouts).length === 0) return 0;
  const present = ipvs.timeouts();
  const wanted = { ...present, ...timeouts };
  if (wanted.tcp === present.tcp && wanted.tcpFin === present.tcpFin && wanted.udp === present.udp) return 0;
  ipvs.setTimeouts(timeouts);
  return 1;
}
