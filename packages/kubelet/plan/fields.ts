import { type Container, type Pod, parseQuantity, type ResourceFieldSelector } from '#kube-api';
import { PodConfigError } from './errors.ts';

/** What the downward API knows that is not in the Pod object yet. */
export interface DownwardContext {
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  readonly nodeName: string;
  /** What limits default to. Cores and bytes. */
  readonly allocatable: { readonly cpu: number; readonly memory: number };
}

/** The value of a `fieldRef`. @throws PodConfigError for a path that the downward API does not have */
export function podField(pod: Pod, path: string, context: DownwardContext): string {
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (keyed !== null) {
    const map = keyed[1] === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations;
    return map?.[keyed[2] ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    case 'metadata.labels':
      return formatMap(pod.metadata?.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata?.annotations);
    case 'spec.nodeName':
      return context.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? 'default';
    case 'status.hostIP':
      return context.hostIps[0] ?? '';
    case 'status.hostIPs':
      return context.hostIps.join(',');
    case 'status.podIP':
      return context.podIps[0] ?? '';
    case 'status.podIPs':
      return context.podIps.join(',');
    default:
      throw new PodConfigError(`unsupported fieldPath: ${path}`);
  }
}

function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}=${JSON.stringify(map?.[key] ?? '')}`)
    .join('\n');
}

/** The value of a `resourceFieldRef`, divided and rounded up. @throws PodConfigError */
export function resourceField(
  containers: readonly Container[],
  own: Container | undefined,
  selector: ResourceFieldSelector,
  context: DownwardContext,
): string {
  const container =
    selector.containerName === undefined || selector.containerName === ''
      ? own
      : containers.find(({ name }) => name === selector.containerName);
  if (container === undefined)
    throw new PodConfigError(`container ${selector.containerName ?? ''} not found`);
  const match = /^(limits|requests)\.([\w./-]+)$/.exec(selector.resource);
  if (match === null) throw new PodConfigError(`unsupported container resource: ${selector.resource}`);
  const [, kind, resource = ''] = match;
  const { limits, requests } = container.resources ?? {};
  const given = kind === 'limits' ? limits?.[resource] : (requests?.[resource] ?? limits?.[resource]);
  const divisor = parseQuantity(String(selector.divisor ?? '1')) || 1;
  const amount = given === undefined ? fallback(kind, resource, context) : parseQuantity(String(given));
  // The 1e-9 keeps binary fractions (0.1 / 0.001) from being rounded up to one too many.
  return String(Math.ceil(amount / divisor - 1e-9));
}

function fallback(kind: string | undefined, resource: string, context: DownwardContext): number {
  if (kind !== 'limits') return 0;
  return resource === 'cpu'
    ? context.allocatable.cpu
    : resource === 'memory'
      ? context.allocatable.memory
      : 0;
}
