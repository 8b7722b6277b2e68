import {
  apiVersionOf,
  type KubeObject,
  type ObjectMeta,
  type OwnerReference,
  type Resource,
} from '#kube-api';

/** The metadata that the API server gives to every object it keeps. `namespace` is '' for cluster-scoped kinds. */
export interface StoredMeta extends ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
}

/** An object as it came from the API server. */
export type Stored<T> = T & { readonly metadata: StoredMeta };

/**
 * For informers' `transform`: an object with its apiVersion and kind, which the members of lists lack, and without what
 * no controller reads.
 */
export function asStored<T extends KubeObject>(resource: Resource<T>): (object: Stored<T>) => Stored<T> {
  const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  return (object) => {
    const { managedFields: _, ...metadata } = object.metadata;
    return { ...object, ...type, metadata: { ...metadata, namespace: metadata.namespace ?? '' } };
  };
}

/** The resource, its objects said to be stored ones. */
export function storedResource<T>(resource: Resource<T>): Resource<Stored<T>> {
  return resource as Resource<Stored<T>>;
}

/** How a client is asked for this object. */
export function nameOf({ metadata: { name, namespace } }: { readonly metadata: StoredMeta }): {
  readonly name: string;
  readonly namespace?: string;
} {
  return namespace === '' ? { name } : { name, namespace };
}

/** The reference by which `owner` controls what it makes. */
export function controllerReference(owner: Stored<KubeObject>): OwnerReference {
  const { apiVersion = '', kind = '', metadata } = owner;
  return {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}
