import type { Pod } from '#kube-api';

/** The names a Pod knows itself by. */
export interface PodHostname {
  readonly hostname: string;
  /** `HOSTNAME.SUBDOMAIN.NAMESPACE.svc.DOMAIN` when the Pod has a subdomain, else ''. */
  readonly fqdn: string;
  /** What the kernel's hostname is: the fqdn with `setHostnameAsFQDN`. */
  readonly kernelHostname: string;
}

/** Linux' limit (__NEW_UTS_LEN); a longer fqdn cannot be a hostname. */
const MAX_HOSTNAME = 63;

/** As a kubelet derives it: `spec.hostname`, or the Pod's name cut to 63 characters. */
export function podHostname(pod: Pod, nodeName: string, clusterDomain: string): PodHostname {
  const spec = pod.spec;
  if (spec?.hostNetwork === true) return { hostname: nodeName, fqdn: '', kernelHostname: nodeName };
  const name = spec?.hostname ?? pod.metadata?.name ?? '';
  const hostname = name.length > MAX_HOSTNAME ? name.slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '') : name;
  const fqdn =
    spec?.subdomain === undefined || spec.subdomain === ''
      ? ''
      : `${hostname}.${spec.subdomain}.${pod.metadata?.namespace ?? 'default'}.svc.${clusterDomain}`;
  const asFqdn = spec?.setHostnameAsFQDN === true && fqdn !== '' && fqdn.length <= MAX_HOSTNAME;
  return { hostname, fqdn, kernelHostname: asFqdn ? fqdn : hostname };
}
