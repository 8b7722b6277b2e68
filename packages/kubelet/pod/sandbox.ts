import type { Kernel, NetworkNamespace } from '#kernel';
import type { Pod } from '#kube-api';
import { errorMessage, type Logger, type Random, randomUuid } from '#runtime';
import type { CniAttachment, CniInvoker, PortMapping } from '../cni/invoker.ts';
import { resultAddresses } from '../cni/result.ts';

/** A Pod's network namespace, attached to the Pod network. */
export interface Sandbox {
  readonly id: string;
  readonly netns: NetworkNamespace;
  readonly podIps: readonly string[];
  /** Detaches and deletes the namespace. */
  remove(): Promise<void>;
}

export interface SandboxDeps {
  readonly kernel: Kernel;
  readonly cni: CniInvoker;
  readonly random: Random;
  readonly logger: Logger;
  /** The node's network namespace, which hostNetwork Pods are in. */
  readonly nodeNetnsPath: string;
  readonly nodeAddresses: readonly string[];
}

/** @throws CniConfigError, CniError, KernelError; nothing is left behind then */
export async function createSandbox(pod: Pod, deps: SandboxDeps): Promise<Sandbox> {
  const id = Buffer.from(deps.random.bytes(32)).toString('hex');
  if (pod.spec?.hostNetwork === true) {
    const netns = deps.kernel.openNetns(deps.nodeNetnsPath);
    return { id, netns, podIps: deps.nodeAddresses, remove: async () => netns[Symbol.dispose]() };
  }
  const path = `/run/netns/cni-${randomUuid(deps.random)}`;
  const netns = deps.kernel.createNetns(path);
  const attachment: CniAttachment = {
    containerId: id,
    netnsPath: path,
    podNamespace: pod.metadata?.namespace ?? 'default',
    podName: pod.metadata?.name ?? '',
    podUid: pod.metadata?.uid ?? '',
    portMappings: portMappings(pod),
  };
  const discard = () => {
    netns[Symbol.dispose]();
    deps.kernel.deleteNetns(path);
  };
  try {
    netns.links.set('lo', { up: true });
    setSysctls(netns, pod, deps.logger);
    const result = await deps.cni.add(attachment);
    return {
      id,
      netns,
      podIps: resultAddresses(result),
      async remove() {
        await deps.cni.del(attachment);
        discard();
      },
    };
  } catch (error) {
    await deps.cni
      .del(attachment)
      .catch((failure: unknown) =>
        deps.logger.debug('DEL after a failed ADD', { error: errorMessage(failure) }),
      );
    discard();
    throw error;
  }
}

/** Programs that are not root may use low ports and ping, as container runtimes set it; then what the Pod asks for. */
function setSysctls(netns: NetworkNamespace, pod: Pod, logger: Logger): void {
  const wanted = [
    { name: 'net.ipv4.ip_unprivileged_port_start', value: '0' },
    { name: 'net.ipv4.ping_group_range', value: '0 2147483647' },
    ...(pod.spec?.securityContext?.sysctls ?? []).filter(({ name }) => name.startsWith('net.')),
  ];
  for (const { name, value } of wanted)
    try {
      netns.sysctl.set(name, value);
    } catch (error) {
      // A single-user mapping has not all groups, for example.
      logger.debug('sysctl not set', { name, error: errorMessage(error) });
    }
}

function portMappings(pod: Pod): readonly PortMapping[] {
  return (pod.spec?.containers ?? [])
    .flatMap(({ ports }) => ports ?? [])
    .flatMap(({ hostPort, containerPort, protocol, hostIP }) =>
      hostPort === undefined || hostPort === 0
        ? []
        : [
            {
              hostPort,
              containerPort,
              protocol: (protocol ?? 'TCP').toLowerCase(),
              ...(hostIP === undefined || hostIP === '' ? {} : { hostIP }),
            },
          ],
    );
}
