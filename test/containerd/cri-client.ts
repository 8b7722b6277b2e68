import { join } from 'node:path';
import { Client, credentials, type ServiceDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp?: string;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface SandboxConfig {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly hostname: string;
  readonly dnsConfig?: DnsConfig;
  readonly portMappings?: readonly PortMapping[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: { readonly cgroupParent: string };
}

export interface SandboxStatus {
  readonly state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
  readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] };
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string };
  readonly image: { readonly image: string };
  readonly command: readonly string[];
}

export interface RuntimeCondition {
  readonly type: string;
  readonly status: boolean;
  readonly message: string;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a container runtime refused, in its words. */
export class CriError extends Error {
  constructor(method: string, cause: ServiceError) {
    super(`${method}: ${cause.details}`, { cause });
  }
}

const API = loadSync(join(import.meta.dirname, 'cri.proto'), { enums: String, defaults: true });

/** A client of a container runtime, as the kubelet is one: the CRI, runtime.v1, on a unix socket. */
export class CriClient implements Disposable {
  readonly #client: Client;

  constructor(socketPath: string) {
    this.#client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 100,
    });
  }

  /** Resolves when the runtime listens. */
  listens(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#client.waitForReady(Date.now() + timeoutMs, (error) => (error ? reject(error) : resolve())),
    );
  }

  async conditions(): Promise<readonly RuntimeCondition[]> {
    const { status } = await this.#runtime<{ status: { conditions: readonly RuntimeCondition[] } }>(
      'Status',
      {},
    );
    return status.conditions;
  }

  async hasImage(image: string): Promise<boolean> {
    const request = { image: { image } };
    const answer = await this.#call<{ image: object | null }>('ImageService', 'ImageStatus', request);
    return answer.image !== null;
  }

  /** @returns the sandbox's id, which is CNI's container id */
  async runPodSandbox(config: SandboxConfig): Promise<string> {
    return (await this.#runtime<{ podSandboxId: string }>('RunPodSandbox', { config })).podSandboxId;
  }

  async podSandboxStatus(podSandboxId: string): Promise<SandboxStatus> {
    return (await this.#runtime<{ status: SandboxStatus }>('PodSandboxStatus', { podSandboxId })).status;
  }

  async stopPodSandbox(podSandboxId: string): Promise<void> {
    await this.#runtime('StopPodSandbox', { podSandboxId });
  }

  async removePodSandbox(podSandboxId: string): Promise<void> {
    await this.#runtime('RemovePodSandbox', { podSandboxId });
  }

  /** Creates a container and starts it. @returns its id */
  async runContainer(
    podSandboxId: string,
    sandboxConfig: SandboxConfig,
    config: ContainerConfig,
  ): Promise<string> {
    const request = { podSandboxId, config, sandboxConfig };
    const { containerId } = await this.#runtime<{ containerId: string }>('CreateContainer', request);
    await this.#runtime('StartContainer', { containerId });
    return containerId;
  }

  async exec(containerId: string, command: readonly string[]): Promise<ExecResult> {
    const request = { containerId, cmd: command, timeout: 20 };
    const answer = await this.#runtime<{ exitCode: number; stdout: Buffer; stderr: Buffer }>(
      'ExecSync',
      request,
    );
    return { exitCode: answer.exitCode, stdout: answer.stdout.toString(), stderr: answer.stderr.toString() };
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #runtime<T>(method: string, request: object): Promise<T> {
    return this.#call('RuntimeService', method, request);
  }

  #call<T>(service: string, method: string, request: object): Promise<T> {
    const definition = (API[`runtime.v1.${service}`] as ServiceDefinition)[method];
    if (definition === undefined) throw new TypeError(`cri.proto has no ${service}.${method}`);
    const { path, requestSerialize, responseDeserialize } = definition;
    return new Promise((resolve, reject) =>
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) =>
        error === null ? resolve(answer as T) : reject(new CriError(method, error)),
      ),
    );
  }
}
