import type { JsonObject, ObjectMeta } from '#kube-api';
import { badRequest, invalid } from '../status.ts';
import type { Kind, PartSubresource } from './kind.ts';
import { metaOf, validateMetadata } from './metadata.ts';

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

/** @throws StatusError 400 when an object names another namespace than the request */
export function checkNamespace(meta: ObjectMeta, namespace: string | undefined): void {
  if (meta.namespace !== undefined && meta.namespace !== '' && meta.namespace !== namespace)
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
}
