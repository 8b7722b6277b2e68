import type { Pod } from '#kube-api';
import type { PodHostname } from './hostname.ts';

const STANDARD = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

/**
 * /etc/hosts as a kubelet writes it.
 * @param nodeHosts the node's own file, which hostNetwork Pods start from
 */
export function podHosts(pod: Pod, name: PodHostname, podIps: readonly string[], nodeHosts: string): string {
  const own = podIps.map(
    (ip) => `${ip}\t${name.fqdn === '' ? name.hostname : `${name.fqdn}\t${name.hostname}`}\n`,
  );
  const base =
    pod.spec?.hostNetwork === true
      ? `# Kubernetes-managed hosts file (host network).\n${nodeHosts}`
      : STANDARD + own.join('');
  const aliases = (pod.spec?.hostAliases ?? []).map(
    ({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`,
  );
  return aliases.length === 0 ? base : `${base}\n# Entries added by HostAliases.\n${aliases.join('')}`;
}
