/**
 * How the API merges a list: `keys` make it a map of objects, `set` a set of scalars; every other list is atomic.
 * `patchKey` is the key of strategic merge patches (the older, single one); `retainKeys` clears fields the patch does not
 * name. Source: the patchStrategy, patchMergeKey, listType and listMapKey tags of k8s.io/api types.go files.
 */
export interface MergeRule {
  readonly patchKey?: string;
  readonly patchStrategy?: 'merge' | 'retainKeys' | 'merge,retainKeys';
  readonly listType?: 'map' | 'set' | 'atomic';
  readonly keys?: readonly string[];
}

const map = (patchKey: string, ...keys: readonly string[]): MergeRule => ({
  patchKey,
  patchStrategy: 'merge',
  listType: 'map',
  keys: keys.length > 0 ? keys : [patchKey],
});
const set: MergeRule = { patchStrategy: 'merge', listType: 'set' };
const container: Readonly<Record<string, MergeRule>> = {
  env: map('name'),
  ports: map('containerPort', 'containerPort', 'protocol'),
  volumeDevices: map('devicePath'),
  volumeMounts: map('mountPath'),
};

/** By definition name, then field. */
export const MERGE_RULES: Readonly<Record<string, Readonly<Record<string, MergeRule>>>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta': {
    finalizers: set,
    ownerReferences: map('uid'),
  },
  'io.k8s.api.core.v1.PodSpec': {
    containers: map('name'),
    ephemeralContainers: map('name'),
    hostAliases: map('ip'),
    imagePullSecrets: map('name'),
    initContainers: map('name'),
    resourceClaims: { ...map('name'), patchStrategy: 'merge,retainKeys' },
    schedulingGates: map('name'),
    topologySpreadConstraints: map('topologyKey', 'topologyKey', 'whenUnsatisfiable'),
    volumes: { ...map('name'), patchStrategy: 'merge,retainKeys' },
  },
  'io.k8s.api.core.v1.Container': container,
  'io.k8s.api.core.v1.EphemeralContainer': container,
  'io.k8s.api.core.v1.ResourceRequirements': { claims: { listType: 'map', keys: ['name'] } },
  'io.k8s.api.core.v1.PodStatus': {
    conditions: map('type'),
    hostIPs: { patchKey: 'ip', patchStrategy: 'merge', listType: 'atomic' },
    podIPs: map('ip'),
  },
  'io.k8s.api.core.v1.ServiceSpec': { ports: map('port', 'port', 'protocol') },
  'io.k8s.api.core.v1.ServiceStatus': { conditions: map('type') },
  'io.k8s.api.core.v1.NodeSpec': { podCIDRs: set },
  'io.k8s.api.core.v1.NodeStatus': { addresses: map('type'), conditions: map('type') },
  'io.k8s.api.core.v1.NamespaceStatus': { conditions: map('type') },
  'io.k8s.api.core.v1.ServiceAccount': { secrets: map('name') },
  'io.k8s.api.apps.v1.DeploymentSpec': { strategy: { patchStrategy: 'retainKeys' } },
  'io.k8s.api.apps.v1.DeploymentStatus': { conditions: map('type') },
  'io.k8s.api.apps.v1.ReplicaSetStatus': { conditions: map('type') },
};

/** Objects that server-side apply owns as a whole. */
export const ATOMIC_OBJECTS: ReadonlySet<string> = new Set([
  'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector',
  'io.k8s.api.core.v1.ConfigMapKeySelector',
  'io.k8s.api.core.v1.LocalObjectReference',
  'io.k8s.api.core.v1.NodeSelector',
  'io.k8s.api.core.v1.NodeSelectorTerm',
  'io.k8s.api.core.v1.ObjectFieldSelector',
  'io.k8s.api.core.v1.ObjectReference',
  'io.k8s.api.core.v1.ResourceFieldSelector',
  'io.k8s.api.core.v1.SecretKeySelector',
  'io.k8s.api.core.v1.TypedLocalObjectReference',
]);

/** The rule of a field; undefined when a list is atomic and an object merges field by field. */
export function mergeRule(definition: string, field: string): MergeRule | undefined {
  const rules = MERGE_RULES[definition];
  return rules !== undefined && Object.hasOwn(rules, field) ? rules[field] : undefined;
}
