import { formatTime, type JsonObject, type ObjectMeta, withAt } from '#kube-api';
import { randomUuid } from '#runtime';
import { badRequest, forbidden, notFound } from '../status.ts';
import type { Kind, KindContext } from './kind.ts';
import { generateName, metaOf, withMeta } from './metadata.ts';
import { checkNamespace, validate } from './validate.ts';
import { hasStatus } from './write-rules.ts';

/**
 * The object that a create stores for the one that was given, whole but for managedFields: name, uid, time, the kind's
 * defaults and allocations; checked. Source: k8s.io/apiserver pkg/registry/rest BeforeCreate.
 * @param namespace of the request
 * @throws StatusError 400, 403 or 404 for the namespace, 422 with every field that is wrong
 */
export function beforeCreate(
  kind: Kind,
  namespace: string | undefined,
  given: JsonObject,
  context: KindContext,
): JsonObject {
  const meta = metaOf(given);
  if ((meta.resourceVersion ?? '') !== '')
    throw badRequest('resourceVersion should not be set on objects to be created');
  checkNamespace(meta, namespace);
  const metadata = newMeta(kind, namespace, meta, context);
  if (namespace !== undefined) checkNamespaceOpen(kind, namespace, metadata.name ?? '', context);
  let object = withMeta(given, metadata);
  if (hasStatus(kind) && kind.statusOnCreate !== true) object = withAt(object, ['status'], undefined);
  object = kind.defaults?.(object) ?? object;
  object = kind.create?.(object, context) ?? object;
  validate(kind, object, undefined);
  return object;
}

function newMeta(
  kind: Kind,
  namespace: string | undefined,
  given: ObjectMeta,
  { clock, random }: KindContext,
): ObjectMeta {
  const { deletionTimestamp: _d, deletionGracePeriodSeconds: _g, selfLink: _s, ...rest } = given;
  const { name = '', generateName: base = '' } = given;
  return {
    ...rest,
    ...(name === '' && base !== '' && { name: generateName(base, random) }),
    ...(namespace !== undefined && { namespace }),
    uid: randomUuid(random),
    creationTimestamp: formatTime(clock.now()),
    ...(kind.hasGeneration === true && { generation: 1 }),
  };
}

function checkNamespaceOpen(kind: Kind, namespace: string, name: string, { find }: KindContext): void {
  const found = find('namespaces', namespace);
  if (found === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace);
  if (metaOf(found).deletionTimestamp === undefined) return;
  const message = `namespace ${namespace} is being terminated`;
  throw forbidden(
    kind.resource,
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
    [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }],
  );
}
