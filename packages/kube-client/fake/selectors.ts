import { matchesFields, matchesRequirements, parseFieldSelector, parseLabelSelector } from '#kube-api';
import type { ListOptions } from '../ports.ts';
import type { FakeObject } from './store.ts';

/** A test of whether an object is in what the options select. Throws InvalidInputError for a selector it cannot read. */
export function selection({
  namespace,
  labelSelector = '',
  fieldSelector = '',
}: ListOptions): (object: FakeObject) => boolean {
  const labels = parseLabelSelector(labelSelector);
  const fields = parseFieldSelector(fieldSelector);
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    matchesRequirements(labels, object.metadata.labels) &&
    matchesFields(fields, object);
}
