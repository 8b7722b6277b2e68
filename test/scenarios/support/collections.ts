import { ENDPOINT_SLICES, type EndpointSlice, type Resource } from '#kube-api';
import type { WatchEvent } from '#kube-client';
import type { TestLab } from './lab.ts';
import type { TestNamespace } from './test-namespace.ts';

/** What happens to a collection while `act` runs, until `done` is seen. */
export async function watched<T>(
  { lab, name: namespace }: TestNamespace,
  resource: Resource<T>,
  act: () => Promise<void>,
  done: (event: WatchEvent<T>) => boolean,
): Promise<readonly WatchEvent<T>[]> {
  const { resourceVersion } = await lab.client.list(resource, { namespace });
  const signal = AbortSignal.timeout(60_000);
  const events: WatchEvent<T>[] = [];
  const acted = act();
  for await (const event of lab.client.watch(resource, { namespace, resourceVersion, signal })) {
    if (event.type !== 'BOOKMARK') events.push(event);
    if (done(event)) break;
  }
  await acted;
  return events;
}

/** DELETE of a whole collection, as far as the selector reaches. */
export async function deleteCollection(lab: TestLab, path: string, labelSelector: string): Promise<void> {
  await lab.kubectl('delete', '--raw', `${path}?labelSelector=${encodeURIComponent(labelSelector)}`);
}

export async function slicesOf(
  { lab, name: namespace }: TestNamespace,
  service: string,
): Promise<readonly EndpointSlice[]> {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  return (await lab.client.list(ENDPOINT_SLICES, { namespace, labelSelector })).items;
}
