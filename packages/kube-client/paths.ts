import { type Resource, resourcePath } from '#kube-api';
import { InvalidInputError } from '#runtime';
import type { ListOptions, ObjectName } from './ports.ts';

/** The path of one object, or of a subresource of it. */
export function objectPath<T>(
  resource: Resource<T>,
  { namespace, name }: ObjectName,
  subresource?: string,
): string {
  requireNamespace(resource, namespace);
  if (!name)
    throw new InvalidInputError('metadata.name', name, `a ${resource.kind} is asked for by its name`);
  const path = resourcePath(resource, { namespace, name });
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** Throws InvalidInputError when a namespaced kind is to be written without saying where. */
export function requireNamespace<T>(resource: Resource<T>, namespace: string | undefined): void {
  if (resource.namespaced && !namespace)
    throw new InvalidInputError('metadata.namespace', namespace, `a ${resource.kind} lives in a namespace`);
}

/** `?a=b&c=d`, leaving out what is undefined; '' when nothing is left. */
export function queryString(parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

export function selectorParameters(options: ListOptions): Readonly<Record<string, string | undefined>> {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}
