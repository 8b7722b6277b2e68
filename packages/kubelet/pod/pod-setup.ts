import { join } from 'node:path';
import type { Cgroup, Cgroups } from '#cgroup';
import type { Pod } from '#kube-api';
import type { EventRecorder, KubeClient } from '#kube-client';
import { type Clock, errorMessage } from '#runtime';
import { PodConfigError } from '../plan/errors.ts';
import type { DownwardContext } from '../plan/fields.ts';
import { podLimits } from '../plan/limits.ts';
import { Attempts } from './attempts.ts';
import type { ContainerStartContext } from './container-context.ts';
import { podReference } from './pod-reference.ts';
import { PodVolumes } from './pod-volumes.ts';
import { createSandbox, type Sandbox, type SandboxDeps } from './sandbox.ts';
import { type StartContextDeps, startContext } from './start-context.ts';

export interface PodSetupDeps extends SandboxDeps, Omit<StartContextDeps, 'onWarning'> {
  readonly client: KubeClient;
  readonly cgroups: Cgroups;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  /** What limits default to. Cores and bytes. */
  readonly allocatable: { readonly cpu: number; readonly memory: number };
  /** How many processes a Pod may have. */
  readonly podPidsLimit: number | undefined;
}

const SANDBOX_RETRY_MS = { first: 250, max: 30_000 };
const MOUNT_RETRY_MS = { first: 500, max: 30_000 };

/** What a Pod's containers run in: its network namespace, control group and volumes. */
export class PodSetup implements Disposable {
  readonly #pod: () => Pod;
  readonly #deps: PodSetupDeps;
  readonly #onChange: () => void;
  readonly #volumes: PodVolumes;
  readonly #sandboxAttempts: Attempts;
  readonly #mountAttempts: Attempts;
  #sandbox: Sandbox | undefined;
  #cgroup: Cgroup | undefined;
  #volumePaths: ReadonlyMap<string, string> | undefined;

  /**
   * @param pod the Pod as it is now
   * @param dir the Pod's own directory, on the lab's tmpfs
   * @param onChange called when the sandbox has come or gone
   */
  constructor(pod: () => Pod, dir: string, deps: PodSetupDeps, onChange: () => void) {
    this.#pod = pod;
    this.#deps = deps;
    this.#onChange = onChange;
    const { client, clock, logger } = deps;
    this.#volumes = new PodVolumes({ pod, dir: join(dir, 'volumes'), client, clock, logger });
    this.#sandboxAttempts = new Attempts(clock, SANDBOX_RETRY_MS);
    this.#mountAttempts = new Attempts(clock, MOUNT_RETRY_MS);
  }

  get sandbox(): Sandbox | undefined {
    return this.#sandbox;
  }

  /** Makes what is not there yet. Resolves to the milliseconds after which to ask again, if something is still missing. */
  async ensure(): Promise<number | undefined> {
    return (await this.#ensureSandbox()) ?? (await this.#ensureVolumes());
  }

  /** The Pod's labels or annotations have changed, which volumes may show. */
  relabelled(): void {
    if (this.#sandbox !== undefined && this.#volumePaths !== undefined)
      void this.#volumes.refresh(this.#downward(this.#sandbox));
  }

  /** What a container is started with, as the API has it now. @throws PodConfigError, ApiError, ApiUnreachableError */
  async startContext(): Promise<ContainerStartContext> {
    const sandbox = this.#sandbox;
    if (sandbox === undefined) throw new PodConfigError('the Pod has no sandbox');
    const volumes = this.#volumePaths ?? new Map();
    return await startContext(this.#pod(), sandbox, volumes, this.#downward(sandbox), {
      ...this.#deps,
      onWarning: (reason, message) => this.#warn(reason, message),
    });
  }

  /** Volumes stay as they are from now on. */
  stopFollowing(): void {
    this.#volumes.stopFollowing();
  }

  /** Undoes network and control group, when no process is left. @throws what CNI DEL does; it may be tried again */
  async removeSandbox(): Promise<void> {
    const sandbox = this.#sandbox;
    if (sandbox === undefined) return;
    this.stopFollowing();
    try {
      await sandbox.remove();
    } catch (error) {
      const message = `error killing pod: failed to destroy network for sandbox: ${errorMessage(error)}`;
      this.#warn('FailedKillPod', message);
      throw error;
    }
    this.#sandbox = undefined;
    await this.#cgroup?.remove();
    this.#cgroup = undefined;
    this.#onChange();
  }

  /** Undoes the volumes' mounts; their files are the Pod's directory's. */
  [Symbol.dispose](): void {
    this.#volumes[Symbol.dispose]();
  }

  async #ensureSandbox(): Promise<number | undefined> {
    if (this.#sandbox !== undefined) return undefined;
    const remaining = this.#sandboxAttempts.remainingMs();
    if (remaining > 0) return remaining;
    try {
      this.#sandbox = await createSandbox(this.#pod(), this.#deps);
      this.#cgroup = this.#makeCgroup();
      this.#onChange();
      return undefined;
    } catch (error) {
      this.#warn('FailedCreatePodSandBox', `Failed to create pod sandbox: ${errorMessage(error)}`);
      const { logger } = this.#deps;
      logger.warn('cannot create the sandbox, will try again', { error: errorMessage(error) });
      return this.#sandboxAttempts.failed();
    }
  }

  /** The group that the containers' own are in. */
  #makeCgroup(): Cgroup | undefined {
    const { cgroups, podPidsLimit } = this.#deps;
    if (cgroups.enforced.size === 0) return undefined;
    const pod = this.#pod();
    return cgroups.create([pod.metadata?.uid ?? ''], podLimits(pod, podPidsLimit));
  }

  async #ensureVolumes(): Promise<number | undefined> {
    if (this.#sandbox === undefined || this.#volumePaths !== undefined) return undefined;
    const remaining = this.#mountAttempts.remainingMs();
    if (remaining > 0) return remaining;
    try {
      this.#volumePaths = await this.#volumes.mount(this.#downward(this.#sandbox));
      return undefined;
    } catch (error) {
      this.#warn('FailedMount', `MountVolume.SetUp failed: ${errorMessage(error)}`);
      return this.#mountAttempts.failed();
    }
  }

  #downward(sandbox: Sandbox): DownwardContext {
    const { nodeName, nodeAddresses, allocatable } = this.#deps;
    return { podIps: sandbox.podIps, hostIps: nodeAddresses, nodeName, allocatable };
  }

  #warn(reason: string, message: string): void {
    this.#deps.recorder.record(podReference(this.#pod()), 'Warning', reason, message);
  }
}
