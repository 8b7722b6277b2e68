import type { ObjectMeta, ObjectReference } from './generated/types.ts';
import type { Resource } from './resource.ts';

/** Anything with Kubernetes metadata. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of informers, work queues and the store. */
export function nameKey(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The apiVersion of a resource's objects: `v1`, `apps/v1`. */
export function apiVersionOf(resource: Pick<Resource<unknown>, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** The path of a collection, or of an object when `name` is given: `/apis/apps/v1/namespaces/default/deployments/web`. */
export function resourcePath(
  resource: Resource<unknown>,
  { namespace, name }: { readonly namespace?: string | undefined; readonly name?: string | undefined } = {},
): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`;
  const scope =
    resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${resource.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

/** The owner that manages the object's life (`controller: true`), if any. */
export function controllerOf(object: KubeObject) {
  return object.metadata?.ownerReferences?.find((owner) => owner.controller === true);
}

/** What an event, for one, refers to the object by. */
export function objectReference({ apiVersion, kind, metadata = {} }: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = metadata;
  const fields = { apiVersion, kind, namespace, name, uid, resourceVersion };
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''),
  ) as ObjectReference;
}
