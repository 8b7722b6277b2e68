import { readFileSync } from 'node:fs';
import { podResolvConf } from '#dns';
import type { Pod, Service } from '#kube-api';
import type { KubeClient } from '#kube-client';
import type { DownwardContext } from '../plan/fields.ts';
import { podHostname } from '../plan/hostname.ts';
import { podHosts } from '../plan/hosts.ts';
import { environmentReferences } from '../plan/references.ts';
import { serviceEnvironment } from '../plan/service-environment.ts';
import type { ContainerStartContext } from './container-context.ts';
import { fetchPodObjects } from './pod-objects.ts';
import type { Sandbox } from './sandbox.ts';

export interface StartContextDeps {
  readonly client: KubeClient;
  readonly services: () => readonly Service[];
  readonly nodeName: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** Directories of the host that must be there in containers. */
  readonly visible: readonly string[];
  readonly onWarning: (reason: string, message: string) => void;
}

/** What a container of the Pod is started with, as the API has it now. */
export async function startContext(
  pod: Pod,
  sandbox: Sandbox,
  volumes: ReadonlyMap<string, string>,
  downward: DownwardContext,
  deps: StartContextDeps,
): Promise<ContainerStartContext> {
  const { namespace = 'default' } = pod.metadata ?? {};
  const objects = await fetchPodObjects(deps.client, namespace, environmentReferences(pod));
  const hostname = podHostname(pod, deps.nodeName, deps.clusterDomain);
  const resolvConf = podResolvConf(dnsPolicy(pod), pod.spec?.dnsConfig, {
    clusterDns: deps.clusterDns,
    clusterDomain: deps.clusterDomain,
    namespace,
    nodeResolvConf: readHostFile('/etc/resolv.conf'),
    hostNetwork: pod.spec?.hostNetwork === true,
  });
  for (const warning of resolvConf.warnings) deps.onWarning('DNSConfigForming', warning);
  const links = pod.spec?.enableServiceLinks !== false;
  return {
    pod,
    netns: sandbox.netns,
    podIp: sandbox.podIps[0] ?? '127.0.0.1',
    hostname: hostname.kernelHostname,
    volumes,
    files: {
      '/etc/resolv.conf': resolvConf.text,
      '/etc/hosts': podHosts(pod, hostname, sandbox.podIps, readHostFile('/etc/hosts')),
      '/etc/hostname': `${hostname.kernelHostname}\n`,
    },
    visible: deps.visible,
    environment: {
      ...downward,
      objects,
      hostname: hostname.kernelHostname,
      serviceEnvironment: serviceEnvironment(deps.services(), namespace, links),
    },
  };
}

function dnsPolicy(pod: Pod) {
  const policy = pod.spec?.dnsPolicy;
  switch (policy) {
    case 'ClusterFirstWithHostNet':
    case 'Default':
    case 'None':
      return policy;
    default:
      return 'ClusterFirst';
  }
}

function readHostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
