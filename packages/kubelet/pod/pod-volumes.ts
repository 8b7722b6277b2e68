import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '#kube-api';
import type { KubeClient } from '#kube-client';
import type { Clock } from '#runtime';
import { PodConfigError } from '../plan/errors.ts';
import type { DownwardContext } from '../plan/fields.ts';
import { volumeReferences } from '../plan/references.ts';
import { type VolumePlan, volumePlan } from '../plan/volumes.ts';
import { writeFilesAtomically } from './atomic-files.ts';
import { fetchPodObjects } from './pod-objects.ts';
import { PodTokens } from './pod-tokens.ts';

/** How old what a volume shows of the API may get; a kubelet takes up to a minute and its caches' delay. Milliseconds. */
const REFRESH_MS = 20_000;

/** A Pod's volumes, on the lab's tmpfs. */
export class PodVolumes implements Disposable {
  readonly #dir: string;
  readonly #client: KubeClient;
  readonly #tokens: PodTokens;
  readonly #mounted = new Set<string>();
  #version = 0;

  constructor(options: { readonly dir: string; readonly client: KubeClient; readonly clock: Clock }) {
    this.#dir = options.dir;
    this.#client = options.client;
    this.#tokens = new PodTokens(options.client, options.clock);
  }

  /**
   * Makes the volumes, or brings them up to date.
   * @returns where each is, by the volume's name
   * @throws PodConfigError when something that a volume shows is missing; files that are there stay as they are
   */
  async update(pod: Pod, downward: DownwardContext): Promise<ReadonlyMap<string, string>> {
    const [objects, tokens] = await Promise.all([
      fetchPodObjects(this.#client, pod.metadata?.namespace ?? 'default', volumeReferences(pod)),
      this.#tokens.of(pod),
    ]);
    this.#version++;
    return new Map(
      (pod.spec?.volumes ?? []).map((volume) => {
        const path = join(this.#dir, volume.name);
        return [
          volume.name,
          this.#make(volumePlan(pod, volume, { ...downward, objects, tokens }), path),
        ] as const;
      }),
    );
  }

  /** Milliseconds until the volumes are to be brought up to date; undefined when nothing in them can change. */
  updateInMs(pod: Pod): number | undefined {
    const changes = (pod.spec?.volumes ?? []).some(
      ({ name, configMap, secret, projected }) =>
        configMap !== undefined ||
        secret !== undefined ||
        // That which admission adds has nothing that changes but its token.
        (projected !== undefined && !name.startsWith('kube-api-access-')),
    );
    const renewal = this.#tokens.renewInMs();
    return changes ? Math.min(REFRESH_MS, renewal ?? REFRESH_MS) : renewal;
  }

  /** Undoes the mounts; the files are their directory's. */
  [Symbol.dispose](): void {
    for (const path of this.#mounted) execFileSync('umount', ['--lazy', path], { stdio: 'ignore' });
    this.#mounted.clear();
  }

  #make(plan: VolumePlan, path: string): string {
    switch (plan.kind) {
      case 'empty':
        mkdirSync(path, { recursive: true });
        if (plan.sizeLimit !== undefined && !this.#mounted.has(path)) {
          mountLimited(path, plan.sizeLimit);
          this.#mounted.add(path);
        }
        chmodSync(path, 0o777);
        return path;
      case 'files':
        writeFilesAtomically(path, plan.files, String(this.#version));
        return path;
      case 'host':
        return checkHostPath(plan.path, plan.type);
    }
  }
}

/** A file system of its own: writing past the limit fails, where Kubernetes evicts the Pod some time after. */
function mountLimited(path: string, sizeLimit: number): void {
  // A tmpfs of size 0 has no limit at all.
  const size = Math.max(1, Math.floor(sizeLimit));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0777`, 'emptydir', path], {
    stdio: 'ignore',
  });
}

function checkHostPath(path: string, type: string): string {
  if (!path.startsWith('/')) throw new PodConfigError(`hostPath "${path}" must be absolute`);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    if (type === 'DirectoryOrCreate') mkdirSync(path, { recursive: true });
    else if (type === 'FileOrCreate') writeFileSync(path, '', { flag: 'a' });
    else throw new PodConfigError(`hostPath type check failed: ${path} is not there`);
    return path;
  }
  if (type.startsWith('Directory') && !found.isDirectory())
    throw new PodConfigError(`hostPath type check failed: ${path} is not a directory`);
  if (type.startsWith('File') && !found.isFile())
    throw new PodConfigError(`hostPath type check failed: ${path} is not a file`);
  if (type === 'Socket' && !found.isSocket())
    throw new PodConfigError(`hostPath type check failed: ${path} is not a socket file`);
  return path;
}
