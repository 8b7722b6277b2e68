import { DEPLOYMENTS, type Deployment, PODS, type Pod } from '#kube-api';
import { createInformer, type KubeClient } from '#kube-client';
import { PodwayError } from '#runtime';

/** A step of the demo did not show what it is there to show. */
export class DemoError extends PodwayError {
  readonly code = 'Demo';
}

/** A running Pod, as far as the demo cares. */
export interface PlacedPod {
  readonly name: string;
  readonly node: string;
  readonly ip: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly images: readonly string[];
}

/** Resolves when every Deployment has all its replicas available. @throws DemoError naming those that have not */
export async function awaitDeployments(
  client: KubeClient,
  timeoutMs: number,
  abort: AbortSignal,
): Promise<void> {
  await using deployments = createInformer(client, DEPLOYMENTS, { namespace: 'default' });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const missing = () => deployments.list().filter((each) => !isAvailable(each));
  const onAbort = () => reject(abort.reason);
  const timer = setTimeout(async () => {
    const names = missing().map(({ metadata }) => metadata?.name);
    reject(
      new DemoError(
        `not available after ${timeoutMs / 1000} s: ${names.join(', ')}\n${await whyNot(client)}`,
      ),
    );
  }, timeoutMs);
  abort.addEventListener('abort', onAbort, { once: true });
  const look = () => {
    if (deployments.hasSynced && deployments.list().length > 0 && missing().length === 0) resolve();
  };
  using _listener = deployments.onChange(look);
  void deployments.synced.then(look);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    abort.removeEventListener('abort', onAbort);
  }
}

function isAvailable({ metadata, spec, status }: Deployment): boolean {
  return (
    status?.observedGeneration === metadata?.generation && status?.availableReplicas === (spec?.replicas ?? 1)
  );
}

async function whyNot(client: KubeClient): Promise<string> {
  const { items } = await client.list(PODS, { namespace: 'default' });
  return items
    .flatMap(({ metadata, status }) =>
      (status?.containerStatuses ?? []).flatMap(({ state }) =>
        state?.waiting === undefined
          ? []
          : [`  ${metadata?.name}: ${state.waiting.reason}: ${state.waiting.message ?? ''}`],
      ),
    )
    .join('\n');
}

export async function placedPods(client: KubeClient): Promise<readonly PlacedPod[]> {
  const { items } = await client.list(PODS, { namespace: 'default' });
  return items.map(placedPod);
}

function placedPod({ metadata, spec, status }: Pod): PlacedPod {
  return {
    name: metadata?.name ?? '',
    node: spec?.nodeName ?? '',
    ip: status?.podIP ?? '',
    labels: metadata?.labels ?? {},
    images: (spec?.containers ?? []).map(({ image }) => image ?? ''),
  };
}

/** Those with the label. @throws DemoError when there is none */
export function withLabel(pods: readonly PlacedPod[], label: string, value: string): readonly PlacedPod[] {
  const found = pods.filter(({ labels }) => labels[label] === value);
  if (found.length === 0) throw new DemoError(`no Pod has the label ${label}=${value}`);
  return found;
}
