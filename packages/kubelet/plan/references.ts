import type { ConfigMap, Container, Pod, Secret, ServiceAccountTokenProjection } from '#kube-api';

/** Objects that a Pod's containers and volumes read. Fetched before anything is planned, so that planning is pure. */
export interface PodObjects {
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
}

/** Names of objects in the Pod's namespace. */
export interface ObjectNames {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

/** Two projections of one audience share a token. */
export function tokenKey(projection: ServiceAccountTokenProjection): string {
  return projection.audience ?? '';
}

export function tokenProjections(pod: Pod): readonly ServiceAccountTokenProjection[] {
  return (pod.spec?.volumes ?? [])
    .flatMap(({ projected }) => projected?.sources ?? [])
    .flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []);
}

export function allContainers(pod: Pod): readonly Container[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
}

/** What the environments of a Pod's containers are made of. */
export function environmentReferences(pod: Pod): ObjectNames {
  const containers = allContainers(pod);
  const sources = containers.flatMap(({ envFrom }) => envFrom ?? []);
  const values = containers.flatMap(({ env }) => env ?? []).map(({ valueFrom }) => valueFrom);
  return {
    configMaps: names([
      ...sources.map(({ configMapRef }) => configMapRef?.name),
      ...values.map((value) => value?.configMapKeyRef?.name),
    ]),
    secrets: names([
      ...sources.map(({ secretRef }) => secretRef?.name),
      ...values.map((value) => value?.secretKeyRef?.name),
    ]),
  };
}

/** What a Pod's volumes show. */
export function volumeReferences(pod: Pod): ObjectNames {
  const volumes = pod.spec?.volumes ?? [];
  const sources = volumes.flatMap(({ projected }) => projected?.sources ?? []);
  return {
    configMaps: names([
      ...volumes.map(({ configMap }) => configMap?.name),
      ...sources.map(({ configMap }) => configMap?.name),
    ]),
    secrets: names([
      ...volumes.map(({ secret }) => secret?.secretName),
      ...sources.map(({ secret }) => secret?.name),
    ]),
  };
}

function names(list: readonly (string | undefined)[]): ReadonlySet<string> {
  return new Set(list.flatMap((name) => (name === undefined || name === '' ? [] : [name])));
}
