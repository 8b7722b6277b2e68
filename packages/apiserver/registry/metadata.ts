import type { ObjectMeta } from '#kube-api';
import { asObject, type JsonObject } from '#kube-api';
import type { Random } from '#runtime';
import { check, checkAnnotations, checkLabels } from '../validation/checks.ts';
import { type FieldError, invalidValue, required } from '../validation/field-error.ts';
import { dnsSubdomain, type NameRule } from '../validation/names.ts';

/** An object's metadata, as its type. */
export function metaOf(object: JsonObject): ObjectMeta {
  return asObject(object['metadata']) as ObjectMeta;
}

export function withMeta(object: JsonObject, metadata: ObjectMeta): JsonObject {
  const defined = Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined));
  return { ...object, metadata: defined as JsonObject };
}

/** No vowels and no look-alikes. Source: apimachinery util/rand. */
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const MAX_GENERATED_PREFIX = 58;

/** `base` and five random letters. */
export function generateName(base: string, random: Random): string {
  const suffix = Array.from(
    { length: 5 },
    () => SUFFIX_LETTERS[Math.floor(random.next() * SUFFIX_LETTERS.length)],
  );
  return base.slice(0, MAX_GENERATED_PREFIX) + suffix.join('');
}

export function validateMetadata(
  metadata: ObjectMeta,
  nameRule: NameRule,
  namespaced: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  const name = metadata.name ?? '';
  if (name === '') errors.push(required('metadata.name', 'name or generateName is required'));
  else errors.push(...check('metadata.name', name, nameRule));
  if (namespaced && (metadata.namespace ?? '') === '') errors.push(required('metadata.namespace'));
  errors.push(...checkLabels('metadata.labels', metadata.labels));
  errors.push(...checkAnnotations('metadata.annotations', metadata.annotations));
  for (const [i, owner] of (metadata.ownerReferences ?? []).entries()) {
    const path = `metadata.ownerReferences[${i}]`;
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if ((owner[field] ?? '') === '')
        errors.push(invalidValue(`${path}.${field}`, owner[field] ?? '', `${field} must not be empty`));
  }
  const controllers = (metadata.ownerReferences ?? []).filter(({ controller }) => controller === true);
  if (controllers.length > 1)
    errors.push(
      invalidValue(
        'metadata.ownerReferences',
        metadata.ownerReferences,
        `Only one reference can have Controller set to true. Found "true" in references for ${controllers.map(({ name }) => name).join(' and ')}`,
      ),
    );
  for (const [i, finalizer] of (metadata.finalizers ?? []).entries())
    errors.push(
      ...check(`metadata.finalizers[${i}]`, finalizer, (text) => {
        const slash = text.indexOf('/');
        if (slash >= 0) return dnsSubdomain(text.slice(0, slash));
        return text === 'orphan' || text === 'foregroundDeletion' || text === 'kubernetes'
          ? []
          : ['name is neither a standard finalizer name nor is it fully qualified'];
      }),
    );
  return errors;
}
