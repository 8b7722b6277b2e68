import { type Json, type JsonObject, withAt } from '#kube-api';
import { trackUpdate } from '../patch/managed-fields.ts';
import type { Kind } from './kind.ts';
import { metaOf } from './metadata.ts';
import type { WriteOptions } from './requests.ts';

/** The object with its managedFields as of an update. @param time RFC 3339 */
export function trackChange(
  kind: Kind,
  object: JsonObject,
  old: JsonObject,
  options: WriteOptions,
  time: string,
): JsonObject {
  const entries = metaOf(object).managedFields ?? [];
  // A client may reset or rewrite the list itself (kubectl does, when it moves from client-side to server-side apply).
  const reset = entries.length === 1 && Object.keys(entries[0] ?? {}).length === 0;
  if (reset) return withAt(object, ['metadata', 'managedFields'], undefined);
  const base = withAt(
    object,
    ['metadata', 'managedFields'],
    entries.length === 0 ? undefined : (entries as unknown as Json),
  );
  return trackUpdate(base, old, kind, {
    manager: options.manager,
    subresource: options.subresource,
    time,
  });
}
