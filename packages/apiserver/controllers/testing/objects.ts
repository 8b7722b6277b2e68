import type { Deployment, EndpointSlice, KubeObject, Node, ObjectMeta, ReplicaSet, Service } from '#kube-api';
import type { StoredPod } from '../base/pods.ts';
import { controllerReference, type Stored, type StoredMeta } from '../base/stored.ts';

/** Objects as the API server would have stored them, with all that a test does not care about filled in. */

/** The time at which tests begin. */
export const EPOCH = Date.parse('2026-01-01T00:00:00Z');

/** `seconds` after (or before) the beginning, as the API writes it. */
export function at(seconds: number): string {
  return new Date(EPOCH + seconds * 1000).toISOString().replace('.000Z', 'Z');
}

export function meta(name: string, more: ObjectMeta = {}): StoredMeta {
  return {
    namespace: 'default',
    uid: `uid-${name}`,
    resourceVersion: '1',
    creationTimestamp: at(0),
    generation: 1,
    ...more,
    name,
  };
}

export interface PodTraits {
  readonly metadata?: ObjectMeta;
  readonly owner?: Stored<KubeObject>;
  readonly node?: string;
  readonly phase?: string;
  /** Seconds after the beginning since when it is ready; absent: it is not. */
  readonly readySince?: number;
  readonly ips?: readonly string[];
  readonly spec?: Partial<NonNullable<StoredPod['spec']>>;
  readonly restarts?: number;
}

export function pod(name: string, traits: PodTraits = {}): StoredPod {
  const { owner, node, phase = 'Running', readySince, ips = [], restarts = 0 } = traits;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(name, {
      labels: { app: 'web' },
      ...(owner === undefined ? {} : { ownerReferences: [controllerReference(owner)] }),
      ...traits.metadata,
    }),
    spec: { containers: [], ...(node === undefined ? {} : { nodeName: node }), ...traits.spec },
    status: {
      phase,
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [
        readySince === undefined
          ? { type: 'Ready', status: 'False' }
          : { type: 'Ready', status: 'True', lastTransitionTime: at(readySince) },
      ],
      containerStatuses: [
        { name: 'main', image: 'i', imageID: '', ready: readySince !== undefined, restartCount: restarts },
      ],
    },
  };
}

export function node(name: string, more: Partial<Node> = {}): Stored<Node> {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
    ...more,
    metadata: meta(name, { namespace: '', labels: { 'kubernetes.io/hostname': name }, ...more.metadata }),
  };
}

export function service(
  name: string,
  spec: Service['spec'] = {},
  metadata: ObjectMeta = {},
): Stored<Service> {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta(name, metadata),
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }], ...spec },
  };
}

export function slice(name: string, more: Partial<EndpointSlice>): Stored<EndpointSlice> {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    endpoints: [],
    ports: [],
    ...more,
    metadata: meta(name, more.metadata),
  };
}

export function deployment(
  spec: Partial<NonNullable<Deployment['spec']>> = {},
  more: Partial<Deployment> = {},
): Stored<Deployment> {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    ...more,
    metadata: meta('web', more.metadata),
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: template('nginx:1'),
      progressDeadlineSeconds: 600,
      ...spec,
    },
  };
}

export function template(image: string) {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } };
}

export interface ReplicaSetTraits {
  readonly image?: string;
  readonly replicas?: number;
  /** As its status counts; as many as `replicas` unless told. */
  readonly available?: number;
  readonly revision?: number;
  /** The Deployment's size when it was last written; that of `replicas` unless told. */
  readonly desired?: number;
  readonly age?: number;
  readonly metadata?: ObjectMeta;
  readonly spec?: Partial<NonNullable<ReplicaSet['spec']>>;
}

export function replicaSet(name: string, traits: ReplicaSetTraits = {}): Stored<ReplicaSet> {
  const {
    image = 'nginx:1',
    replicas = 3,
    available = replicas,
    revision = 1,
    desired = 3,
    age = 0,
  } = traits;
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: meta(name, {
      creationTimestamp: at(-age),
      annotations: {
        'deployment.kubernetes.io/revision': String(revision),
        'deployment.kubernetes.io/desired-replicas': String(desired),
        'deployment.kubernetes.io/max-replicas': String(desired + Math.ceil(desired / 4)),
      },
      ...traits.metadata,
    }),
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template(image), ...traits.spec },
    status: { replicas, readyReplicas: available, availableReplicas: available },
  };
}
