import { apiVersionOf, type KubeObject, type OwnerReference, type Resource } from '#kube-api';
import { type DeleteOptions, isNotFound, unlessGone } from '#kube-client';
import type { ControllerContext } from '../base/context.ts';
import { type ControllerInformer, FOLLOWED } from '../base/informers.ts';
import { each, keyOf, startKeyedController } from '../base/keyed-controller.ts';
import { nameOf, type Stored, storedResource } from '../base/stored.ts';
import { planGarbage } from './garbage-plan.ts';

type StoredObject = Stored<KubeObject>;

interface Collection {
  readonly resource: Resource<KubeObject>;
  readonly informer: ControllerInformer<KubeObject>;
}

/** Removes what has lost its owners, and sees to Foreground and Orphan deletion. */
export function startGarbageCollector(context: ControllerContext): AsyncDisposable {
  const { client, informers } = context;
  const collections = new Map<string, Collection>(
    Object.entries(FOLLOWED).map(([name, resource]) => [
      `${apiVersionOf(resource)} ${resource.kind}`,
      {
        resource: resource as Resource<KubeObject>,
        informer: informers[name as keyof typeof FOLLOWED] as ControllerInformer<KubeObject>,
      },
    ]),
  );
  const collectionOf = (object: KubeObject) => collections.get(`${object.apiVersion} ${object.kind}`);
  const dependentsOf = (uid: string) =>
    [...collections.values()].flatMap(({ informer }) => informer.byIndex('owner', uid));

  async function reconcile(key: string): Promise<undefined> {
    const [type = '', name = ''] = key.split('|');
    const object = collections.get(type)?.informer.get(name);
    if (object === undefined) return;
    const gone = await goneOwners(object);
    const dependents = dependentsOf(object.metadata.uid);
    const plan = planGarbage(object, dependents, ({ uid }) => !gone.has(uid));
    await Promise.all(plan.deleteFirst.map((one) => remove(one, policyFor(one))));
    await Promise.all(
      plan.orphan.map((one) =>
        patchMetadata(one, {
          ownerReferences: (one.metadata.ownerReferences ?? []).filter(
            ({ uid }) => uid !== object.metadata.uid,
          ),
        }),
      ),
    );
    if (plan.finalizers !== undefined) await patchMetadata(object, { finalizers: plan.finalizers });
    if (plan.self === 'delete') await remove(object, 'Background');
    else if (plan.self !== 'keep') await patchMetadata(object, plan.self);
  }

  /** The owners that are certainly gone: no informer has them, and neither has the server. Unknown kinds count as there. */
  async function goneOwners({ metadata }: StoredObject): Promise<ReadonlySet<string>> {
    const gone = new Set<string>();
    for (const owner of metadata.ownerReferences ?? []) {
      const collection = collections.get(`${owner.apiVersion} ${owner.kind}`);
      if (collection === undefined || isKnown(collection, metadata.namespace, owner)) continue;
      const { namespaced } = collection.resource;
      const name = namespaced ? { namespace: metadata.namespace, name: owner.name } : { name: owner.name };
      try {
        const found = await client.get(storedResource(collection.resource), name);
        if (found.metadata.uid !== owner.uid) gone.add(owner.uid);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        gone.add(owner.uid);
      }
    }
    return gone;
  }

  function isKnown({ resource, informer }: Collection, namespace: string, owner: OwnerReference): boolean {
    const key = resource.namespaced ? `${namespace}/${owner.name}` : owner.name;
    return informer.get(key)?.metadata.uid === owner.uid;
  }

  function policyFor({ metadata }: StoredObject): DeleteOptions['propagationPolicy'] {
    return dependentsOf(metadata.uid).length > 0 ? 'Foreground' : 'Background';
  }

  async function remove(
    object: StoredObject,
    propagationPolicy: DeleteOptions['propagationPolicy'],
  ): Promise<void> {
    const collection = collectionOf(object);
    if (collection === undefined) return;
    const preconditions = { uid: object.metadata.uid };
    await unlessGone(() =>
      client.delete(collection.resource, nameOf(object), {
        preconditions,
        ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
      }),
    );
  }

  async function patchMetadata(object: StoredObject, fields: object): Promise<void> {
    const collection = collectionOf(object);
    if (collection === undefined) return;
    const { resourceVersion } = object.metadata;
    const body = { metadata: { resourceVersion, ...fields } };
    await unlessGone(async () => {
      await client.patch(collection.resource, nameOf(object), 'merge', body);
    });
  }

  return startKeyedController(context, 'garbage-collector', reconcile, (trigger) => {
    const triggerFor = (object: StoredObject) =>
      trigger(`${object.apiVersion} ${object.kind}|${keyOf(object)}`);
    const triggerOwners = ({ metadata }: StoredObject) => {
      for (const owner of metadata.ownerReferences ?? []) {
        const collection = collections.get(`${owner.apiVersion} ${owner.kind}`);
        const key =
          collection?.resource.namespaced === false ? owner.name : `${metadata.namespace}/${owner.name}`;
        const held = collection?.informer.get(key);
        if (held?.metadata.deletionTimestamp !== undefined) triggerFor(held);
      }
    };
    return [...collections.values()].map(({ informer }) =>
      each(informer, (current, old) => {
        if (current === undefined || (old !== undefined && old.metadata.uid !== current.metadata.uid)) {
          if (old === undefined) return;
          for (const dependent of dependentsOf(old.metadata.uid)) triggerFor(dependent);
          triggerOwners(old);
        }
        if (current !== undefined && concerns(current)) triggerFor(current);
      }),
    );
  });
}

/** Most objects have no owners and no finalizers: nothing to look at. */
function concerns({ metadata }: StoredObject): boolean {
  const { ownerReferences = [], finalizers = [], deletionTimestamp } = metadata;
  return ownerReferences.length > 0 || (deletionTimestamp !== undefined && finalizers.length > 0);
}
