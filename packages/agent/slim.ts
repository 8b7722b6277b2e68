import type { EndpointSlice, Node, ObjectMeta, Service } from '#kube-api';
import { TRIGGER_TIME_ANNOTATION } from '#service-proxy';

/** What informers keep: at thousands of objects, fields that nobody here reads would be most of the agent's memory. */

/** Images and conditions are most of a Node. */
export function slimNode({ metadata, spec, status }: Node): Node {
  return {
    metadata: slimMetadata(metadata ?? {}, ['labels', 'deletionTimestamp']),
    spec: pick(spec ?? {}, ['podCIDR', 'podCIDRs', 'taints']),
    status: pick(status ?? {}, ['addresses']),
  };
}

export function slimService({ metadata, spec, status }: Service): Service {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...annotations } =
    metadata?.annotations ?? {};
  return {
    metadata: { ...slimMetadata(metadata ?? {}, ['labels', 'creationTimestamp']), annotations },
    ...(spec && { spec }),
    ...(status && { status }),
  };
}

export function slimEndpointSlice({ metadata, ...rest }: EndpointSlice): EndpointSlice {
  const triggered = metadata?.annotations?.[TRIGGER_TIME_ANNOTATION];
  return {
    ...rest,
    metadata: {
      ...slimMetadata(metadata ?? {}, ['labels', 'creationTimestamp']),
      ...(triggered !== undefined && { annotations: { [TRIGGER_TIME_ANNOTATION]: triggered } }),
    },
  };
}

function slimMetadata(metadata: ObjectMeta, further: readonly (keyof ObjectMeta)[]): ObjectMeta {
  return pick(metadata, ['name', 'namespace', 'uid', 'resourceVersion', ...further]);
}

function pick<T extends object, K extends keyof T>(object: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    keys.flatMap((key) => (object[key] === undefined ? [] : [[key, object[key]]])),
  ) as Pick<T, K>;
}
