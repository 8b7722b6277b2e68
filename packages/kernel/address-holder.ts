import { isKernelError } from './errors.ts';
import type { LinkPort } from './ports/links.ts';

/**
 * Makes a link that only holds addresses of this host, as for a Service's or the DNS server's: a dummy link, or a
 * bridge without ports where the kernel has no dummy driver; an address on either is local in the same way.
 * One that is there already is brought up (or down).
 * @param up a link that is down holds addresses too, and says nothing on its own
 * @throws KernelError
 */
export function ensureAddressHolder(links: LinkPort, name: string, { up = true } = {}): void {
  const existing = links.get(name);
  if (existing !== undefined) {
    if (existing.up !== up) links.set(name, { up });
    return;
  }
  try {
    links.add({ kind: 'dummy', name, up });
  } catch (error) {
    if (!isKernelError(error, 'EOPNOTSUPP')) throw error;
    links.add({ kind: 'bridge', name, up });
  }
}
