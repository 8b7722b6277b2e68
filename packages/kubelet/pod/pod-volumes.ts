import { join } from 'node:path';
import type { Pod } from '#kube-api';
import type { KubeClient } from '#kube-client';
import { type Clock, errorMessage, type Logger } from '#runtime';
import type { DownwardContext } from '../plan/fields.ts';
import { volumeReferences } from '../plan/references.ts';
import { volumePlan } from '../plan/volumes.ts';
import { fetchPodObjects } from './pod-objects.ts';
import { PodTokens } from './pod-tokens.ts';
import { VolumeMaker } from './volume-maker.ts';

/** How old what a volume shows of the API may get; a kubelet takes up to a minute and its caches' delay. Milliseconds. */
const REFRESH_MS = 20_000;

export interface PodVolumesOptions {
  /** The Pod as it is now. */
  readonly pod: () => Pod;
  /** The Pod's own directory for volumes, on the lab's tmpfs. */
  readonly dir: string;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A Pod's volumes: made before its containers start, then kept as the API has what they show. */
export class PodVolumes implements Disposable {
  readonly #options: PodVolumesOptions;
  readonly #tokens: PodTokens;
  readonly #maker = new VolumeMaker();
  #version = 0;
  #following = true;
  #timer: Disposable | undefined;

  constructor(options: PodVolumesOptions) {
    this.#options = options;
    this.#tokens = new PodTokens(options.client, options.clock);
  }

  /**
   * Makes the volumes, and keeps them up to date from then on.
   * @returns where each is, by the volume's name
   * @throws PodConfigError when something that a volume shows is missing; ApiError, ApiUnreachableError
   */
  async mount(downward: DownwardContext): Promise<ReadonlyMap<string, string>> {
    const paths = await this.#update(downward);
    this.#refreshLater(downward);
    return paths;
  }

  /** Brings them up to date at once; what cannot be had stays as it is, as long as the Pod runs. */
  async refresh(downward: DownwardContext): Promise<void> {
    try {
      await this.#update(downward);
    } catch (error) {
      this.#options.logger.debug('volumes not brought up to date', { error: errorMessage(error) });
    }
    this.#refreshLater(downward);
  }

  /** They stay as they are from now on. */
  stopFollowing(): void {
    this.#following = false;
    this.#timer?.[Symbol.dispose]();
  }

  /** Undoes the mounts; the files are their directory's. */
  [Symbol.dispose](): void {
    this.stopFollowing();
    this.#maker[Symbol.dispose]();
  }

  async #update(downward: DownwardContext): Promise<ReadonlyMap<string, string>> {
    const { pod: current, client, dir } = this.#options;
    const pod = current();
    const [objects, tokens] = await Promise.all([
      fetchPodObjects(client, pod.metadata?.namespace ?? 'default', volumeReferences(pod)),
      this.#tokens.of(pod),
    ]);
    this.#version++;
    return new Map(
      (pod.spec?.volumes ?? []).map((volume) => {
        const plan = volumePlan(pod, volume, { ...downward, objects, tokens });
        return [volume.name, this.#maker.make(plan, join(dir, volume.name), String(this.#version))] as const;
      }),
    );
  }

  #refreshLater(downward: DownwardContext): void {
    this.#timer?.[Symbol.dispose]();
    const ms = this.#refreshInMs();
    if (ms === undefined || !this.#following) return;
    this.#timer = this.#options.clock.setTimer(ms, () => void this.refresh(downward), { unref: true });
  }

  /** Milliseconds until the volumes are to be brought up to date; undefined when nothing in them can change. */
  #refreshInMs(): number | undefined {
    const changes = (this.#options.pod().spec?.volumes ?? []).some(
      ({ name, configMap, secret, projected }) =>
        configMap !== undefined ||
        secret !== undefined ||
        // That which admission adds has nothing that changes but its token.
        (projected !== undefined && !name.startsWith('kube-api-access-')),
    );
    const renewal = this.#tokens.renewInMs();
    return changes ? Math.min(REFRESH_MS, renewal ?? REFRESH_MS) : renewal;
  }
}
