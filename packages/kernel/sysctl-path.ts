import { KernelError } from './errors.ts';

/** sysctl(8): dots separate, and a slash stands for a dot inside a name. @throws KernelError `EINVAL` */
export function sysctlPath(key: string): string {
  const parts = key.split('.').map((part) => part.replaceAll('/', '.'));
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
    throw new KernelError({
      errno: 'EINVAL',
      operation: 'use sysctl',
      object: key,
      detail: 'not a sysctl key',
    });
  return `/proc/sys/${parts.join('/')}`;
}
