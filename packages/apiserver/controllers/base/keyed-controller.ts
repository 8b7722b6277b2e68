import { ApiError } from '#kube-client';
import type { ControllerContext } from './context.ts';
import type { ControllerInformer } from './informers.ts';
import { KeyedReconciler, type Reconcile } from './keyed-reconciler.ts';
import type { Stored } from './stored.ts';

/** Calls `listener` for each object that is there, then for each change. */
export function each<T>(
  informer: ControllerInformer<T>,
  listener: (current: Stored<T> | undefined, old: Stored<T> | undefined) => void,
): Disposable {
  for (const object of informer.list()) listener(object, undefined);
  return informer.onChange(listener);
}

/** Triggers each object that is there, then each that changes. */
export function eachKey<T>(informer: ControllerInformer<T>, trigger: (key: string) => void): Disposable {
  return each(informer, (current, old) => {
    const changed = current ?? old;
    if (changed !== undefined) trigger(keyOf(changed));
  });
}

/** A reconciler of keys, with the subscriptions that trigger it. Disposing ends the subscriptions first. */
export function startKeyedController(
  { clock, logger }: ControllerContext,
  name: string,
  reconcile: Reconcile,
  subscribe: (trigger: (key: string) => void) => readonly Disposable[],
): AsyncDisposable {
  const reconciler = new KeyedReconciler({ name, clock, logger }, async (key, signal) => {
    try {
      return await reconcile(key, signal);
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      throw error;
    }
  });
  const subscriptions = subscribe((key) => reconciler.trigger(key));
  return {
    async [Symbol.asyncDispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]();
      await reconciler[Symbol.asyncDispose]();
    },
  };
}

/** Nothing new may come into a namespace that goes; what asked for it goes as well. */
function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.status === 403 &&
    (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  );
}

/** `namespace/name`, or `name` for cluster-scoped objects. */
export function keyOf({ metadata: { namespace, name } }: Stored<unknown>): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}
