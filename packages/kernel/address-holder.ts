import { isKernelError } from './errors.ts';
import type { LinkPort } from './ports.ts';

/**
 * Makes a link that only holds addresses of this host, as for a Service's or the DNS server's: a dummy link, or a
 * bridge without ports where the kernel has no dummy driver; an address on either is local in the same way.
 * One that is there already is brought up.
 * @throws KernelError
 */
export function ensureAddressHolder(links: LinkPort, name: string): void {
  const existing = links.get(name);
  if (existing !== undefined) {
    if (!existing.up) links.set(name, { up: true });
    return;
  }
  try {
    links.add({ kind: 'dummy', name, up: true });
  } catch (error) {
    if (!isKernelError(error, 'EOPNOTSUPP')) throw error;
    links.add({ kind: 'bridge', name, up: true });
  }
}
