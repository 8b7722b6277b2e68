import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { PodConfigError } from '../plan/errors.ts';
import type { VolumePlan } from '../plan/volumes.ts';
import { writeFilesAtomically } from './atomic-files.ts';

/** Makes volumes as planned, and undoes its mounts when disposed; the files are their directory's. */
export class VolumeMaker implements Disposable {
  readonly #mounted = new Set<string>();

  /**
   * Makes a volume at `path`, or brings the one that is there up to date.
   * @param version a name that no earlier call for this path had
   * @returns where it is: `path`, or a directory or file of the host
   * @throws PodConfigError when the host has not what a hostPath says
   */
  make(plan: VolumePlan, path: string, version: string): string {
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
        writeFilesAtomically(path, plan.files, version);
        return path;
      case 'host':
        return checkHostPath(plan.path, plan.type);
    }
  }

  [Symbol.dispose](): void {
    for (const path of this.#mounted) execFileSync('umount', ['--lazy', path], { stdio: 'ignore' });
    this.#mounted.clear();
  }
}

/** A file system of its own: writing past the limit fails, where Kubernetes evicts the Pod some time after. @param sizeLimit bytes */
function mountLimited(path: string, sizeLimit: number): void {
  // A tmpfs of size 0 has no limit at all.
  const size = Math.max(1, Math.floor(sizeLimit));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0777`, 'emptydir', path], {
    stdio: 'ignore',
  });
}

/** Source: pkg/volume/hostpath/host_path.go. */
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
