import { type ObjectReference, objectReference, type Pod } from '#kube-api';

/** The object that an event about a Pod, or about one of its containers, belongs to. */
export function podReference(
  pod: Pod,
  container?: { readonly name: string; readonly init: boolean },
): ObjectReference {
  return {
    ...objectReference({ ...pod, apiVersion: 'v1', kind: 'Pod' }),
    ...(container === undefined
      ? {}
      : { fieldPath: `spec.${container.init ? 'initContainers' : 'containers'}{${container.name}}` }),
  };
}
