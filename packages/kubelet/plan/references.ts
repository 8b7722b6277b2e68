import type { ConfigMap, Container, Pod, Secret, ServiceAccountTokenProjection } from '#kube-api';

/** Objects that a Pod's containers and volumes read. Fetched before anything is planned, so that planning is pure. */
export interface PodObjects {
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Tokens by {@link tokenKey}. */
  readonly tokens: ReadonlyMap<string, string>;
}

export interface PodReferences {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
  readonly tokens: readonly ServiceAccountTokenProjection[];
}

/** Two projections of one audience share a token. */
export function tokenKey(projection: ServiceAccountTokenProjection): string {
  return projection.audience ?? '';
}

export function allContainers(pod: Pod): readonly Container[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
}

/** Which objects a Pod refers to, by name in its namespace. */
export function podReferences(pod: Pod): PodReferences {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const tokens: ServiceAccountTokenProjection[] = [];
  const add = (set: Set<string>, name: string | undefined) => {
    if (name !== undefined && name !== '') set.add(name);
  };
  for (const container of allContainers(pod)) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      add(configMaps, configMapRef?.name);
      add(secrets, secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add(configMaps, valueFrom?.configMapKeyRef?.name);
      add(secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of pod.spec?.volumes ?? []) {
    add(configMaps, volume.configMap?.name);
    add(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.name);
      if (source.serviceAccountToken !== undefined) tokens.push(source.serviceAccountToken);
    }
  }
  return { configMaps, secrets, tokens };
}
