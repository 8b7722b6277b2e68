import { readFileSync } from 'node:fs';
import { arch, availableParallelism, release, totalmem } from 'node:os';
import {
  KUBERNETES_VERSION,
  type Node,
  type NodeCondition,
  type NodeStatus,
  transitionTime,
} from '#kube-api';

export interface NodeDescription {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  /** Label `topology.kubernetes.io/zone`; none unless given. */
  readonly zone?: string | undefined;
}

/** What of the machine a node says it has. Every node of a lab has the whole machine. */
export interface Machine {
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

export const machine = (): Machine => ({ cpu: availableParallelism(), memory: totalmem() });

const VERSION = `v${KUBERNETES_VERSION}+podway`;
const MAX_PODS = '110';

/** The Node object of this kubelet, without status. */
export function nodeObject({ nodeName, zone }: NodeDescription): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nodeName, labels: nodeLabels(nodeName, zone) },
    spec: {},
  };
}

export function nodeLabels(nodeName: string, zone: string | undefined): Readonly<Record<string, string>> {
  return {
    'kubernetes.io/hostname': nodeName,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture(),
    ...(zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }),
  };
}

/** @param notReady why Pods cannot run, undefined when they can */
export function nodeStatus(
  description: NodeDescription,
  machine: Machine,
  notReady: string | undefined,
  previous: readonly NodeCondition[],
  now: string,
): NodeStatus {
  const condition = (
    type: string,
    status: 'True' | 'False',
    reason: string,
    message: string,
  ): NodeCondition => {
    const old = previous.find((other) => other.type === type);
    return {
      type,
      status,
      reason,
      message,
      lastHeartbeatTime: now,
      lastTransitionTime: transitionTime(old, status, now),
    };
  };
  const ready =
    notReady === undefined
      ? condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
      : condition(
          'Ready',
          'False',
          'KubeletNotReady',
          `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${notReady}`,
        );
  const own = [
    condition(
      'MemoryPressure',
      'False',
      'KubeletHasSufficientMemory',
      'kubelet has sufficient memory available',
    ),
    condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    ready,
  ];
  const resources = {
    cpu: String(machine.cpu),
    memory: `${Math.floor(machine.memory / 1024)}Ki`,
    pods: MAX_PODS,
  };
  return {
    addresses: [
      ...description.addresses.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: description.nodeName },
    ],
    capacity: resources,
    allocatable: resources,
    conditions: [...previous.filter(({ type }) => !own.some((other) => other.type === type)), ...own],
    nodeInfo: {
      architecture: architecture(),
      bootID: hostFile('/proc/sys/kernel/random/boot_id'),
      containerRuntimeVersion: 'podway://0.1.0',
      kernelVersion: release(),
      kubeProxyVersion: VERSION,
      kubeletVersion: VERSION,
      machineID: description.nodeName,
      operatingSystem: 'linux',
      osImage: osImage(hostFile('/etc/os-release')),
      systemUUID: description.nodeName,
    },
  };
}

/** Go's name of the architecture, which labels and images go by. */
function architecture(): string {
  const own = arch();
  return own === 'x64' ? 'amd64' : own === 'ia32' ? '386' : own;
}

/** PRETTY_NAME of os-release(5). */
export function osImage(osRelease: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux';
}

function hostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
