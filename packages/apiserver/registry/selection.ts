import type { JsonObject } from '#kube-api';
import { matchesFields, matchesRequirements, parseFieldSelector, parseLabelSelector } from '#kube-api';
import { errorMessage } from '#runtime';
import { badRequest } from '../status.ts';
import type { Kind } from './kind.ts';
import { metaOf } from './metadata.ts';

export interface Selectors {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** A test for objects of the kind; undefined when every object passes. @throws StatusError 400 */
export function selection(kind: Kind, selectors: Selectors): ((object: JsonObject) => boolean) | undefined {
  if (!selectors.labelSelector && !selectors.fieldSelector) return undefined;
  try {
    const labels = parseLabelSelector(selectors.labelSelector ?? '');
    const fields = parseFieldSelector(selectors.fieldSelector ?? '');
    const known = new Set(['metadata.name', 'metadata.namespace', ...(kind.selectableFields ?? [])]);
    for (const { field } of fields)
      if (!known.has(field)) throw new Error(`field label not supported: ${field}`);
    return (object) =>
      matchesRequirements(labels, metaOf(object).labels) && matchesFields(fields, fieldView(object));
  } catch (error) {
    throw badRequest(errorMessage(error));
  }
}

/** `source` of an event means its component. */
function fieldView(object: JsonObject): JsonObject {
  const source = object['source'];
  return typeof source === 'object' && source !== null && 'component' in source
    ? { ...object, source: source['component'] ?? '' }
    : object;
}
