import type { Container, EnvVar, Pod } from '#kube-api';
import { PodConfigError } from './errors.ts';
import { expandReferences } from './expand.ts';
import { type DownwardContext, podField, resourceField } from './fields.ts';
import { allContainers, type PodObjects } from './references.ts';

export interface EnvironmentContext extends DownwardContext {
  readonly objects: PodObjects;
  readonly serviceEnvironment: ReadonlyMap<string, string>;
  /** The image's own variables. */
  readonly imageEnvironment: Readonly<Record<string, string>>;
  readonly hostname: string;
}

/**
 * A container's environment: the image's variables, HOSTNAME, Services', `envFrom`, then `env`; the later wins, and
 * `env` may refer to what stands before it with `$(NAME)`.
 * @throws PodConfigError when a needed ConfigMap, Secret or key is not there
 */
export function containerEnvironment(
  pod: Pod,
  container: Container,
  context: EnvironmentContext,
): ReadonlyMap<string, string> {
  const env = new Map<string, string>(Object.entries(context.imageEnvironment));
  env.set('HOSTNAME', context.hostname);
  for (const [name, value] of context.serviceEnvironment) env.set(name, value);
  for (const source of container.envFrom ?? []) {
    const { configMapRef, secretRef } = source;
    const data =
      configMapRef !== undefined
        ? configMapData(pod, configMapRef.name, configMapRef.optional, context.objects)
        : secretData(pod, secretRef?.name, secretRef?.optional, context.objects);
    for (const [key, value] of Object.entries(data ?? {})) env.set(`${source.prefix ?? ''}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(pod, container, variable, env, context);
    if (value !== undefined) env.set(variable.name, value);
  }
  return env;
}

function variableValue(
  pod: Pod,
  container: Container,
  variable: EnvVar,
  env: ReadonlyMap<string, string>,
  context: EnvironmentContext,
): string | undefined {
  const from = variable.valueFrom;
  if (from === undefined) return expandReferences(variable.value ?? '', (name) => env.get(name));
  if (from.fieldRef !== undefined) return podField(pod, from.fieldRef.fieldPath, context);
  if (from.resourceFieldRef !== undefined)
    return resourceField(allContainers(pod), container, from.resourceFieldRef, context);
  const reference = from.configMapKeyRef ?? from.secretKeyRef;
  if (reference === undefined) return '';
  const isConfigMap = from.configMapKeyRef !== undefined;
  const read = isConfigMap ? configMapData : secretData;
  const data = read(pod, reference.name, reference.optional, context.objects);
  if (data === undefined) return undefined;
  const value = data[reference.key];
  if (value === undefined && reference.optional !== true)
    throw new PodConfigError(
      `couldn't find key ${reference.key} in ${isConfigMap ? 'ConfigMap' : 'Secret'} ${pod.metadata?.namespace ?? ''}/${reference.name ?? ''}`,
    );
  return value;
}

function configMapData(
  _pod: Pod,
  name: string | undefined,
  optional: boolean | undefined,
  objects: PodObjects,
): Readonly<Record<string, string>> | undefined {
  const found = objects.configMaps.get(name ?? '');
  if (found === undefined && optional !== true)
    throw new PodConfigError(`configmap "${name ?? ''}" not found`);
  return found === undefined ? undefined : (found.data ?? {});
}

function secretData(
  _pod: Pod,
  name: string | undefined,
  optional: boolean | undefined,
  objects: PodObjects,
): Readonly<Record<string, string>> | undefined {
  const found = objects.secrets.get(name ?? '');
  if (found === undefined && optional !== true) throw new PodConfigError(`secret "${name ?? ''}" not found`);
  if (found === undefined) return undefined;
  const decoded = Object.entries(found.data ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64').toString()] as const,
  );
  return { ...Object.fromEntries(decoded), ...found.stringData };
}
