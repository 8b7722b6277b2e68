import type { LinkNames } from './link-names.ts';
import type { NetlinkRequest, NetlinkSocket } from './netlink-socket.ts';

/**
 * A dump of what hangs on links, with their names in place of indexes; what hangs on a link that is gone meanwhile is left out.
 * @param link that one's only; none when there is no such link
 * @param request for a link by its index, 0 for all; old kernels ignore the index, so what comes is looked at again
 */
export function listByLink<Raw extends { readonly linkIndex: number }>(
  socket: NetlinkSocket,
  names: LinkNames,
  link: string | undefined,
  request: (index: number) => NetlinkRequest,
  decode: (payload: Buffer) => Raw | undefined,
): readonly (Omit<Raw, 'linkIndex'> & { readonly link: string })[] {
  const index = link === undefined ? 0 : names.find(link);
  if (index === undefined) return [];
  const nameOf = names.lookup();
  return socket.dump(request(index), ({ payload }) => {
    const raw = decode(payload);
    if (raw === undefined || (index !== 0 && raw.linkIndex !== index)) return undefined;
    const { linkIndex, ...rest } = raw;
    const name = nameOf(linkIndex);
    return name === undefined ? undefined : { link: name, ...rest };
  });
}
