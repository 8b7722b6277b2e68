import type { Limits } from '#cgroup';
import { type Container, type Pod, parseQuantity } from '#kube-api';

/** What a container may use. A request that is not given is its limit (API reference, ResourceRequirements). */
export function containerLimits({ resources }: Container): Limits {
  const { limits, requests } = resources ?? {};
  return {
    cpuRequestMilli: milli(requests?.['cpu'] ?? limits?.['cpu']) ?? 0,
    cpuLimitMilli: milli(limits?.['cpu']),
    memoryLimit: limits?.['memory'] === undefined ? undefined : parseQuantity(String(limits['memory'])),
  };
}

/** What a Pod may use: its containers' share of the processor together, and a number of processes. */
export function podLimits(pod: Pod, pidsLimit: number | undefined): Limits {
  const requestOf = (container: Container) => containerLimits(container).cpuRequestMilli ?? 0;
  const init = pod.spec?.initContainers ?? [];
  const together = [...init.filter(isSidecar), ...(pod.spec?.containers ?? [])];
  return {
    cpuRequestMilli: Math.max(
      together.map(requestOf).reduce((sum, request) => sum + request, 0),
      ...init.map(requestOf),
    ),
    pidsLimit,
  };
}

/** Whether a container asks for a limit that the kernel would have to enforce. */
export function wantsLimits({ resources }: Container): boolean {
  return ['cpu', 'memory'].some((name) => resources?.limits?.[name] !== undefined);
}

function isSidecar({ restartPolicy }: Container): boolean {
  return restartPolicy === 'Always';
}

function milli(quantity: string | number | undefined): number | undefined {
  // The rounding keeps binary fractions from being counted as one too many.
  return quantity === undefined ? undefined : Math.ceil(parseQuantity(String(quantity)) * 1000 - 1e-6);
}
