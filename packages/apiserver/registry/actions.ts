import { asObject, asString, at, formatTime, type JsonObject, withAt } from '#kube-api';
import type { TokenSigner } from '../auth/tokens.ts';
import { badRequest, conflict } from '../status.ts';
import { metaOf } from './metadata.ts';
import type { Registry } from './registry.ts';
import type { DeleteRequest, Target, WriteOptions } from './requests.ts';

const SUCCESS: JsonObject = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

/** Assigns a Pod to a node, once, and says so in its conditions. Source: pkg/registry/core/pod/storage assignPod. */
export function bindPod(
  registry: Registry,
  target: Target,
  binding: unknown,
  options: WriteOptions,
): JsonObject {
  const node = asString(at(binding, 'target', 'name'));
  if (node === undefined || node === '') throw badRequest('target.name: Required value');
  const { kind, name } = target;
  const bind = (pod: JsonObject): JsonObject => {
    if (metaOf(pod).deletionTimestamp !== undefined)
      throw conflict(kind.resource, name, `pod ${name} is being deleted, cannot be assigned to a host`);
    const assigned = asString(at(pod, 'spec', 'nodeName')) ?? '';
    if (assigned !== '')
      throw conflict(
        kind.resource,
        name,
        `pod ${name} is already assigned to node ${JSON.stringify(assigned)}`,
      );
    return withAt(
      withAt(pod, ['spec', 'nodeName'], node),
      ['status', 'conditions'],
      scheduledConditions(pod),
    );
  };
  const { dryRun = false, manager } = options;
  registry.patch(target, bind, { manager, dryRun, binding: true });
  return SUCCESS;

  function scheduledConditions(pod: JsonObject) {
    const conditions = at(pod, 'status', 'conditions');
    const others = Array.isArray(conditions)
      ? conditions.filter((condition) => at(condition, 'type') !== 'PodScheduled')
      : [];
    return [
      ...others,
      { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: registry.time() },
    ];
  }
}

/** Deletes a Pod the polite way. There are no disruption budgets, so nothing stands against it. */
export function evictPod(registry: Registry, target: Target, request: DeleteRequest): JsonObject {
  registry.delete(target, request);
  return SUCCESS;
}

const DEFAULT_TOKEN_SECONDS = 3600;
const MIN_TOKEN_SECONDS = 600;

/** A TokenRequest with its token. */
export function issueToken(
  registry: Registry,
  tokens: TokenSigner,
  target: Target,
  request: unknown,
): JsonObject {
  const { namespace = '', name, uid = '' } = metaOf(registry.get(target));
  const spec = asObject(at(request, 'spec'));
  const wanted = spec['expirationSeconds'] ?? DEFAULT_TOKEN_SECONDS;
  if (typeof wanted !== 'number' || wanted < MIN_TOKEN_SECONDS)
    throw badRequest(
      'spec.expirationSeconds: Invalid value: may not specify a duration less than 10 minutes',
    );
  const audiences = Array.isArray(spec['audiences'])
    ? spec['audiences'].flatMap((item) => asString(item) ?? [])
    : [];
  const { token, expires } = tokens.issue(
    { namespace, name: name ?? '' },
    uid,
    wanted,
    audiences.length > 0 ? audiences : undefined,
  );
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace },
    spec: { ...spec, expirationSeconds: wanted },
    status: { token, expirationTimestamp: formatTime(expires) },
  };
}
