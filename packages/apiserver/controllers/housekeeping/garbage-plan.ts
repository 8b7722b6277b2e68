import type { KubeObject, OwnerReference } from '#kube-api';
import type { Stored } from '../base/stored.ts';

type StoredObject = Stored<KubeObject>;

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

export interface GarbagePlan {
  /** Dependents that must go before the object itself does. */
  readonly deleteFirst: readonly StoredObject[];
  /** Dependents that lose this owner. */
  readonly orphan: readonly StoredObject[];
  /** The object's finalizers, where one of ours is done. */
  readonly finalizers: readonly string[] | undefined;
  readonly self: 'keep' | 'delete' | { readonly ownerReferences: readonly OwnerReference[] };
}

const KEEP: GarbagePlan = { deleteFirst: [], orphan: [], finalizers: undefined, self: 'keep' };

/**
 * What is to happen to an object for the sake of ownership. `dependents`: all that name it as an owner; `exists`: whether
 * an owner is still there. Source: kubernetes pkg/controller/garbagecollector.
 */
export function planGarbage(
  object: StoredObject,
  dependents: readonly StoredObject[],
  exists: (owner: OwnerReference) => boolean,
): GarbagePlan {
  const { deletionTimestamp, finalizers = [], ownerReferences = [], uid } = object.metadata;
  if (deletionTimestamp !== undefined) {
    if (finalizers.includes(ORPHAN)) {
      const orphan = dependents;
      return { ...KEEP, orphan, finalizers: orphan.length === 0 ? without(finalizers, ORPHAN) : undefined };
    }
    if (!finalizers.includes(FOREGROUND)) return KEEP;
    const blocking = dependents.filter(({ metadata }) =>
      (metadata.ownerReferences ?? []).some((one) => one.uid === uid && one.blockOwnerDeletion === true),
    );
    return {
      ...KEEP,
      deleteFirst: dependents.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
      finalizers: blocking.length === 0 ? without(finalizers, FOREGROUND) : undefined,
    };
  }
  const solid = ownerReferences.filter(exists);
  if (solid.length === ownerReferences.length) return KEEP;
  return { ...KEEP, self: solid.length === 0 ? 'delete' : { ownerReferences: solid } };
}

function without(finalizers: readonly string[], done: string): readonly string[] {
  return finalizers.filter((finalizer) => finalizer !== done);
}
