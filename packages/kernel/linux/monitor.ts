import { isKernelError } from '../errors.ts';
import { decodeEvent, EVENT_GROUPS } from '../netlink/event.ts';
import type { NetworkEvent, NetworkEventKind } from '../ports.ts';
import { koffi } from './libc.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.ts';

const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** Receives before other work gets its turn. */
const RECEIVES_A_TURN = 64;

/** Subscribes in the namespace the thread is in. The event loop polls the socket: nothing runs while nothing happens. */
export function monitorNetns(
  listener: (event: NetworkEvent) => void,
  kinds: readonly NetworkEventKind[] = ['link', 'address', 'route'],
): Disposable {
  const groups = kinds.reduce((bits, kind) => bits | EVENT_GROUPS[kind], 0);
  const socket = new NetlinkSocket(NETLINK_ROUTE, groups);
  if (!socket.trySetOption(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
    socket.trySetOption(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
  const poll = koffi().node.poll(socket.fd, { readable: true }, () => {
    for (let turn = 0; turn < RECEIVES_A_TURN && open; turn++) {
      const events = receiveEvents(socket);
      if (events === undefined) return;
      for (const event of events) if (open) listener(event);
    }
  });
  poll.unref();
  let open = true;
  return {
    [Symbol.dispose]() {
      if (!open) return;
      open = false;
      poll.close();
      socket[Symbol.dispose]();
    },
  };
}

/** undefined when nothing is waiting. */
function receiveEvents(socket: NetlinkSocket): readonly NetworkEvent[] | undefined {
  try {
    const messages = socket.receive('monitor', 'network namespace', MSG_DONTWAIT);
    return messages?.flatMap((message) => decodeEvent(message) ?? []);
  } catch (error) {
    if (isKernelError(error, 'ENOBUFS')) return [{ kind: 'overrun' }];
    throw error;
  }
}
