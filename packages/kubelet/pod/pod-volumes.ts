import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Pod } from '#kube-api';
import { PodConfigError } from '../plan/errors.ts';
import { type VolumeContext, type VolumePlan, volumePlan } from '../plan/volumes.ts';

/**
 * Makes a Pod's volumes on the lab's tmpfs.
 * @returns where each is, by the volume's name
 * @throws PodConfigError
 */
export function makeVolumes(pod: Pod, dir: string, context: VolumeContext): ReadonlyMap<string, string> {
  return new Map(
    (pod.spec?.volumes ?? []).map((volume) => {
      const path = join(dir, volume.name);
      return [volume.name, makeVolume(volumePlan(pod, volume, context), path)] as const;
    }),
  );
}

function makeVolume(plan: VolumePlan, path: string): string {
  switch (plan.kind) {
    case 'empty':
      mkdirSync(path, { recursive: true });
      chmodSync(path, 0o777);
      return path;
    case 'files':
      mkdirSync(path, { recursive: true });
      for (const file of plan.files) {
        const target = join(path, file.path);
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, file.content);
        chmodSync(target, file.mode);
      }
      return path;
    case 'host':
      return checkHostPath(plan.path, plan.type);
  }
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
