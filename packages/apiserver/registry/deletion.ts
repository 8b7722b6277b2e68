import { formatTime, type JsonObject, type ObjectMeta, withAt } from '#kube-api';
import { conflict } from '../status.ts';
import type { Kind } from './kind.ts';
import { metaOf, withMeta } from './metadata.ts';
import type { DeleteRequest } from './requests.ts';
import { namespaceFinalizers } from './write-rules.ts';

/** @throws StatusError 409 when the object is not the one that is meant */
export function checkPreconditions(
  kind: Kind,
  name: string,
  meta: ObjectMeta,
  preconditions: DeleteRequest['preconditions'],
): void {
  if (preconditions?.uid !== undefined && preconditions.uid !== meta.uid)
    throw conflict(
      kind.resource,
      name,
      `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${meta.uid}`,
    );
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== meta.resourceVersion)
    throw conflict(
      kind.resource,
      name,
      `Precondition failed: ResourceVersion in precondition: ${preconditions.resourceVersion}, ResourceVersion in object meta: ${meta.resourceVersion}`,
    );
}

/** The object with its end begun. @param now milliseconds since the epoch */
export function terminating(
  kind: Kind,
  object: JsonObject,
  grace: number,
  finalizers: readonly string[],
  now: number,
): JsonObject {
  const meta = metaOf(object);
  const already = meta.deletionTimestamp !== undefined;
  // A second delete can only shorten the time.
  const shorter = !already || grace < (meta.deletionGracePeriodSeconds ?? 0);
  const next = withMeta(object, {
    ...meta,
    ...(finalizers.length > 0 && { finalizers }),
    ...(shorter && {
      deletionTimestamp: formatTime(now + grace * 1000),
      deletionGracePeriodSeconds: grace,
    }),
    ...(kind.hasGeneration === true && !already && { generation: (meta.generation ?? 0) + 1 }),
  });
  return namespaceFinalizers(object).length > 0 ? withAt(next, ['status', 'phase'], 'Terminating') : next;
}
