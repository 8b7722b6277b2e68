import { KernelError } from '../errors.ts';
import type { SysctlPort } from '../ports/sysctl.ts';
import { sysctlPath } from '../sysctl-path.ts';
import type { NamespaceState } from './state.ts';

/** Keys of a link (and of `all` and `default`) with their values in a new namespace. */
const IPV4_CONF = {
  forwarding: '0',
  rp_filter: '0',
  arp_ignore: '0',
  proxy_arp: '0',
  route_localnet: '0',
  send_redirects: '1',
  accept_local: '0',
  arp_announce: '0',
  arp_notify: '0',
  src_valid_mark: '0',
};
const IPV6_CONF = {
  forwarding: '0',
  disable_ipv6: '0',
  accept_ra: '1',
  accept_dad: '1',
  addr_gen_mode: '0',
  autoconf: '1',
  dad_transmits: '1',
  keep_addr_on_down: '0',
  ndisc_notify: '0',
  proxy_ndp: '0',
};
const GLOBAL: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '0',
  'net/ipv4/ip_unprivileged_port_start': '1024',
  'net/ipv4/ping_group_range': '1\t0',
  'net/ipv4/vs/conntrack': '0',
  'net/bridge/bridge-nf-call-iptables': '1',
  'net/bridge/bridge-nf-call-ip6tables': '1',
  'net/netfilter/nf_conntrack_max': '65536',
};

/** Models the keys above; every other key does not exist. `ip_forward` and `conf/all/forwarding` are one. */
export class FakeSysctl implements SysctlPort {
  readonly #state: NamespaceState;

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  get(key: string): string | undefined {
    const path = this.#path(key);
    return this.#state.sysctls.get(path) ?? this.#default(path);
  }

  set(key: string, value: string): void {
    const path = this.#path(key);
    if (this.#default(path) === undefined)
      throw new KernelError({ errno: 'ENOENT', operation: 'set sysctl', object: `${key} = ${value}` });
    if (!/^\s*-?\d+(\s+-?\d+)*\s*$/.test(value))
      throw new KernelError({ errno: 'EINVAL', operation: 'set sysctl', object: `${key} = ${value}` });
    this.#state.sysctls.set(path, value.trim());
    if (path === 'net/ipv4/ip_forward')
      for (const name of ['all', 'default', ...this.#state.links.keys()])
        this.#state.sysctls.set(`net/ipv4/conf/${name}/forwarding`, value.trim());
  }

  #path(key: string): string {
    const path = sysctlPath(key).slice('/proc/sys/'.length);
    return path === 'net/ipv4/conf/all/forwarding' ? 'net/ipv4/ip_forward' : path;
  }

  #default(path: string): string | undefined {
    const conf = /^net\/(ipv[46])\/conf\/([^/]+)\/([^/]+)$/.exec(path);
    if (conf === null) return GLOBAL[path];
    const [, family, link = '', name = ''] = conf;
    if (link !== 'all' && link !== 'default' && !this.#state.links.has(link)) return undefined;
    const keys: Readonly<Record<string, string>> = family === 'ipv4' ? IPV4_CONF : IPV6_CONF;
    return keys[name];
  }
}
