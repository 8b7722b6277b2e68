import { readFileSync, writeFileSync } from 'node:fs';
import { isKernelError } from '../errors.ts';
import type { SysctlPort } from '../ports/sysctl.ts';
import { sysctlPath } from '../sysctl-path.ts';
import { wrapFileErrors } from './netns-files.ts';

/** Reads and writes /proc/sys/net, whose content is that of the reading thread's namespace. */
export class LinuxSysctl implements SysctlPort {
  readonly #inside: <T>(section: () => T) => T;

  constructor(inside: <T>(section: () => T) => T) {
    this.#inside = inside;
  }

  get(key: string): string | undefined {
    const path = sysctlPath(key);
    try {
      return this.#inside(() =>
        wrapFileErrors('read sysctl', key, () => readFileSync(path, 'utf8')),
      ).trimEnd();
    } catch (error) {
      if (isKernelError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  set(key: string, value: string): void {
    const path = sysctlPath(key);
    this.#inside(() =>
      wrapFileErrors('set sysctl', `${key} = ${value}`, () => writeFileSync(path, value, { flag: 'r+' })),
    );
  }
}
