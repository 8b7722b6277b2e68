import { NLM_F_ECHO } from '../netlink/header-flags.ts';
import { RTM_DELLINK } from '../netlink/link.ts';
import { koffi } from './libc.ts';
import type { NetlinkRequest, NetlinkSocket } from './netlink-socket.ts';

/**
 * Deletes a link on a thread of the pool and resolves when it is gone. The kernel echoes the deletion (NLM_F_ECHO) after
 * a millisecond or two, when nobody can see the link any more; it acknowledges when the memory is free too, after an RCU
 * barrier of some 20 ms (net/core/dev.c netdev_run_todo), which is worth nothing to the caller. Kernels before 6.2 only
 * acknowledge.
 * @param socket for this deletion alone; closed when the kernel is done with it
 */
export async function deleteLink(socket: NetlinkSocket, request: NetlinkRequest): Promise<void> {
  const { promise: gone, resolve, reject } = Promise.withResolvers<void>();
  const echoed = { ...request, flags: NLM_F_ECHO };
  const sequence = socket.nextSequence();
  const readable = () => {
    try {
      if (socket.hasAnswer(echoed, sequence, RTM_DELLINK)) resolve();
    } catch (error) {
      reject(error);
    }
  };
  const poll = koffi().node.poll(socket.fd, { readable: true }, readable);
  socket
    .sendInPool(echoed, sequence)
    .catch(reject)
    .finally(() => gone.catch(() => undefined).finally(() => socket[Symbol.dispose]()));
  try {
    await gone;
  } finally {
    poll.close();
  }
}
