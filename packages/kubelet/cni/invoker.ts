import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PodNetns } from '../runtime/pod-netns.ts';
import { loadNetworkConfig, type NetworkConfig, type PluginConfig } from './conflist.ts';
import { CniError, type CniResult, parseCniFailure } from './result.ts';

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIP?: string;
}

/** The attachment of one sandbox to the Pod network. */
export interface CniAttachment {
  readonly containerId: string;
  readonly netnsPath: string;
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly portMappings: readonly PortMapping[];
}

export interface CniOptions {
  readonly confDir: string;
  readonly binDir: string;
  /** Where results are kept, so that DEL has them after a restart. */
  readonly cacheDir: string;
  /** The namespace that plugins run in: the node's. */
  readonly netns: PodNetns;
}

type Command = 'ADD' | 'DEL' | 'STATUS';

interface CacheEntry {
  readonly config: NetworkConfig;
  readonly result: CniResult;
}

const INTERFACE = 'eth0';
/** A plugin that hangs must not hang the Pod for ever. */
const TIMEOUT_MS = 120_000;

/** Runs the CNI executables of the configured chain, as libcni does. */
export class CniInvoker {
  readonly #options: CniOptions;
  constructor(options: CniOptions) {
    this.#options = options;
    mkdirSync(options.cacheDir, { recursive: true });
  }

  /** Attaches a sandbox and resolves to the last plugin's result. @throws CniConfigError, CniError */
  async add(attachment: CniAttachment): Promise<CniResult> {
    const config = loadNetworkConfig(this.#options.confDir);
    let result: CniResult | undefined;
    for (const plugin of config.plugins) {
      const answer = await this.#exec('ADD', config, plugin, attachment, result);
      result = JSON.parse(answer === '' ? '{}' : answer) as CniResult;
    }
    const entry: CacheEntry = { config, result: result ?? {} };
    writeFileSync(this.#cacheFile(attachment), JSON.stringify(entry));
    return entry.result;
  }

  /** Detaches: the chain in reverse, with the cached result; a sandbox that was never attached is no error. */
  async del(attachment: CniAttachment): Promise<void> {
    const cached = this.#cached(attachment);
    const config = cached?.config ?? loadNetworkConfig(this.#options.confDir);
    for (const plugin of config.plugins.toReversed())
      await this.#exec('DEL', config, plugin, attachment, cached?.result);
    rmSync(this.#cacheFile(attachment), { force: true });
  }

  /** Throws when Pods cannot be attached now; configurations before CNI 1.1 cannot say. @throws CniConfigError, CniError */
  async status(): Promise<void> {
    const config = loadNetworkConfig(this.#options.confDir);
    for (const plugin of config.plugins)
      if (hasStatus(config.cniVersion)) await this.#exec('STATUS', config, plugin, undefined, undefined);
      else accessSync(this.#executable(plugin), constants.X_OK);
  }

  async #exec(
    command: Command,
    config: NetworkConfig,
    plugin: PluginConfig,
    attachment: CniAttachment | undefined,
    previous: CniResult | undefined,
  ): Promise<string> {
    const executable = this.#executable(plugin);
    const input = pluginInput(config, plugin, attachment, previous);
    const env = { PATH: process.env['PATH'] ?? '', ...this.#environment(command, attachment) };
    const child = this.#options.netns.run(() =>
      spawn(executable, [], { env, stdio: ['pipe', 'pipe', 'pipe'], timeout: TIMEOUT_MS, cwd: '/' }),
    );
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.on('error', (error) => reject(new CniError(plugin.type, command, 999, error.message)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout.trim());
      else
        reject(parseCniFailure(plugin.type, command, { stdout, stderr, status: `status ${code ?? signal}` }));
    });
    // A plugin may end without reading its input.
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(input));
    return await promise;
  }

  #environment(command: Command, attachment: CniAttachment | undefined): Record<string, string> {
    const base = { CNI_COMMAND: command, CNI_PATH: this.#options.binDir };
    if (attachment === undefined) return base;
    const args = {
      IgnoreUnknown: '1',
      K8S_POD_NAMESPACE: attachment.podNamespace,
      K8S_POD_NAME: attachment.podName,
      K8S_POD_INFRA_CONTAINER_ID: attachment.containerId,
      K8S_POD_UID: attachment.podUid,
    };
    return {
      ...base,
      CNI_CONTAINERID: attachment.containerId,
      CNI_NETNS: attachment.netnsPath,
      CNI_IFNAME: INTERFACE,
      CNI_ARGS: Object.entries(args)
        .map(([key, value]) => `${key}=${value}`)
        .join(';'),
    };
  }

  #executable(plugin: PluginConfig): string {
    return join(this.#options.binDir, plugin.type);
  }

  #cacheFile(attachment: CniAttachment): string {
    return join(this.#options.cacheDir, `${attachment.containerId}-${INTERFACE}.json`);
  }

  #cached(attachment: CniAttachment): CacheEntry | undefined {
    try {
      return JSON.parse(readFileSync(this.#cacheFile(attachment), 'utf8')) as CacheEntry;
    } catch {
      return undefined;
    }
  }
}

/** What a plugin reads: its part of the list, with the list's name and version, the result so far and its capabilities. */
export function pluginInput(
  config: NetworkConfig,
  plugin: PluginConfig,
  attachment: CniAttachment | undefined,
  previous: CniResult | undefined,
): Record<string, unknown> {
  const { capabilities, ...rest } = plugin;
  const mappings = attachment?.portMappings ?? [];
  const runtimeConfig =
    capabilities?.['portMappings'] === true && mappings.length > 0 ? { portMappings: mappings } : undefined;
  return {
    ...rest,
    name: config.name,
    cniVersion: config.cniVersion,
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ...(previous === undefined ? {} : { prevResult: previous }),
  };
}

/** STATUS came with CNI 1.1.0. */
function hasStatus(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 1 || (major === 1 && minor >= 1);
}
