import type { JsonObject, ObjectMeta } from '#kube-api';
import { badRequest, invalid } from '../status.ts';
import { invalidValue } from '../validation/field-error.ts';
import type { Kind, PartSubresource } from './kind.ts';
import { metaOf, validateMetadata } from './metadata.ts';
import type { Target } from './requests.ts';

/** @throws StatusError 422 with every field that is wrong */
export function validate(
  kind: Kind,
  object: JsonObject,
  old: JsonObject | undefined,
  part?: PartSubresource,
): void {
  const { resource } = kind;
  const meta = metaOf(object);
  const errors = [
    ...(old === undefined
      ? validateMetadata(meta, kind.nameRule, resource.namespaced)
      : validateMetadata(meta, () => [], resource.namespaced)),
    ...(kind.validate?.(object) ?? []),
    ...(old === undefined ? [] : (kind.validateUpdate?.(object, old, part) ?? [])),
  ];
  if (errors.length > 0) throw invalid(resource, meta.name ?? '', errors);
}

/**
 * To a patch the uid is a field that may not change, where to an update it is a precondition.
 * @throws StatusError 422 when it means another object
 */
export function checkUid({ kind, name }: Target, old: ObjectMeta, { uid }: ObjectMeta): void {
  if ((uid ?? '') !== '' && uid !== old.uid)
    throw invalid(kind.resource, name, [invalidValue('metadata.uid', uid, 'field is immutable')]);
}

/** @throws StatusError 400 when an object names another namespace than the request */
export function checkNamespace(meta: ObjectMeta, namespace: string | undefined): void {
  if (meta.namespace !== undefined && meta.namespace !== '' && meta.namespace !== namespace)
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
}
