import type { Node } from '#kube-api';

/** A Node without what the agent does not read: images and conditions are most of one. */
export function slimNode({ metadata, spec, status }: Node): Node {
  return {
    metadata: pick(metadata ?? {}, ['name', 'uid', 'resourceVersion', 'labels']),
    spec: pick(spec ?? {}, ['podCIDR', 'podCIDRs']),
    status: pick(status ?? {}, ['addresses']),
  };
}

function pick<T extends object, K extends keyof T>(object: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    keys.flatMap((key) => (object[key] === undefined ? [] : [[key, object[key]]])),
  ) as Pick<T, K>;
}
