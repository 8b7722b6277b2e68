import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { isObject } from '#kube-api';
import { errorMessage, PodwayError } from '#runtime';

/** A network configuration list (CNI spec, section 1), or a single configuration made into a list of one. */
export interface NetworkConfig {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly PluginConfig[];
}

export interface PluginConfig {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [key: string]: unknown;
}

/** There is no usable CNI configuration. */
export class CniConfigError extends PodwayError {
  readonly code = 'CniConfig';
}

/**
 * The network configuration that containers get: of the files in `directory` in order of their names, the first that
 * is valid, as container runtimes choose it.
 * @throws CniConfigError when there is none
 */
export function loadNetworkConfig(directory: string): NetworkConfig {
  const errors: string[] = [];
  for (const name of configFiles(directory)) {
    try {
      return parseNetworkConfig(readFileSync(join(directory, name), 'utf8'), extname(name) === '.conflist');
    } catch (error) {
      errors.push(`${name}: ${errorMessage(error)}`);
    }
  }
  throw new CniConfigError(
    errors.length === 0
      ? `cni plugin not initialized: no network config found in ${directory}`
      : `cni plugin not initialized: ${errors.join('; ')}`,
  );
}

function configFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => ['.conflist', '.conf', '.json'].includes(extname(name)))
      .sort();
  } catch {
    return [];
  }
}

/** @throws CniConfigError */
export function parseNetworkConfig(text: string, isList: boolean): NetworkConfig {
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) throw new CniConfigError('not a JSON object');
  const { cniVersion = '0.2.0', name } = value;
  if (typeof name !== 'string' || name === '') throw new CniConfigError('name: missing');
  if (typeof cniVersion !== 'string') throw new CniConfigError('cniVersion: must be a string');
  const plugins: readonly unknown[] = isList
    ? Array.isArray(value['plugins'])
      ? value['plugins']
      : []
    : [value];
  if (plugins.length === 0) throw new CniConfigError('plugins: must be a list that is not empty');
  return { cniVersion, name, plugins: plugins.map(parsePlugin) };
}

function parsePlugin(plugin: unknown, index: number): PluginConfig {
  const type = isObject(plugin) ? plugin['type'] : undefined;
  // The type is the name of an executable: it must not lead out of the directory of executables.
  if (!isObject(plugin) || typeof type !== 'string' || !/^[\w.-]+$/.test(type) || /^\.+$/.test(type))
    throw new CniConfigError(`plugins[${index}].type: missing or not the name of an executable`);
  return { ...plugin, type };
}
