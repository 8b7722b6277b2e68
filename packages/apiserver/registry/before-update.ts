import type { ObjectMeta } from '#kube-api';
import { deepEqual, type JsonObject, withAt } from '#kube-api';
import { conflict } from '../status.ts';
import type { Kind, KindContext } from './kind.ts';
import { metaOf, withMeta } from './metadata.ts';
import type { WriteOptions } from './requests.ts';
import { validate } from './validate.ts';
import { fixedMeta, mergeParts, statusMeta, withoutMetaAndStatus } from './write-rules.ts';

/**
 * The object that an update stores for the one that was given, whole but for managedFields: what the write may not touch
 * stays as it was, a changed spec counts up the generation; checked. Source: k8s.io/apiserver pkg/registry/rest BeforeUpdate.
 * @param old the object as it is, in the shape of `kind`
 * @throws StatusError 409 when another version or another object is meant, 422 with every field that is wrong
 */
export function beforeUpdate(
  kind: Kind,
  old: JsonObject,
  given: JsonObject,
  { subresource, binding }: Pick<WriteOptions, 'subresource' | 'binding'>,
  context: KindContext,
): JsonObject {
  const oldMeta = metaOf(old);
  const meta = metaOf(given);
  checkSame(kind, oldMeta, meta);
  const isMain = subresource === undefined;
  let object = withMeta(binding === true ? given : mergeParts(kind, given, old, subresource), {
    ...(isMain ? meta : statusMeta(meta, oldMeta)),
    ...fixedMeta(oldMeta),
    managedFields: meta.managedFields ?? oldMeta.managedFields ?? [],
  });
  object = kind.defaults?.(object) ?? object;
  if (isMain) object = kind.update?.(object, old, context) ?? object;
  if (
    isMain &&
    kind.hasGeneration === true &&
    !deepEqual(withoutMetaAndStatus(object), withoutMetaAndStatus(old))
  )
    object = withAt(object, ['metadata', 'generation'], (oldMeta.generation ?? 0) + 1);
  if (binding !== true) validate(kind, object, old, subresource);
  return object;
}

function checkSame(kind: Kind, old: ObjectMeta, given: ObjectMeta): void {
  const name = old.name ?? '';
  if ((given.resourceVersion ?? '') !== '' && given.resourceVersion !== old.resourceVersion)
    throw conflict(kind.resource, name);
  if ((given.uid ?? '') !== '' && given.uid !== old.uid)
    throw conflict(
      kind.resource,
      name,
      `Precondition failed: UID in precondition: ${given.uid}, UID in object meta: ${old.uid}`,
    );
}
