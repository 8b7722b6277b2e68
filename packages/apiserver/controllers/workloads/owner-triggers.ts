import { controllerOf, type KubeObject } from '#kube-api';
import type { ControllerInformer } from '../base/informers.ts';
import { keyOf } from '../base/keyed-controller.ts';
import type { Stored } from '../base/stored.ts';

type Owned = Stored<KubeObject> | undefined;

export interface OwnerTriggers {
  /** Triggers the object's owner; for an orphan everyone in its namespace, who may adopt it. */
  ownerOf(object: Owned): void;
  /** For an object that changed: its owner, and the one that it had. */
  onChange(current: Owned, old: Owned): void;
}

/** What changes of owned objects trigger. @param kind the owners' */
export function ownerTriggers<T extends KubeObject>(
  kind: string,
  owners: ControllerInformer<T>,
  trigger: (key: string) => void,
): OwnerTriggers {
  const ownerOf = (object: Owned) => {
    if (object === undefined) return;
    const { namespace } = object.metadata;
    const owner = controllerOf(object);
    if (owner?.kind === kind) trigger(`${namespace}/${owner.name}`);
    if (owner === undefined) for (const one of owners.byIndex('namespace', namespace)) trigger(keyOf(one));
  };
  return {
    ownerOf,
    onChange: (current, old) => {
      ownerOf(current);
      if (old !== undefined && controllerOf(old)?.uid !== (current && controllerOf(current)?.uid))
        ownerOf(old);
    },
  };
}
