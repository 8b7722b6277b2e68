import { isKernelError } from '../errors.ts';
import { decodeEvent, EVENT_GROUPS } from '../netlink/event.ts';
import type { NetworkEvent, NetworkEventKind } from '../ports/monitor.ts';
import { koffi } from './libc.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.ts';

const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
/** Bytes of events that wait while the event loop is busy, before the kernel drops some. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** Receives before other work gets its turn. */
const RECEIVES_A_TURN = 64;

/** Subscribes in the namespace the thread is in. The event loop polls the socket: nothing runs while nothing happens. */
export function monitorNetns(
  listener: (event: NetworkEvent) => void,
  kinds: readonly NetworkEventKind[] = ['link', 'address', 'route'],
  receiveBuffer = RECEIVE_BUFFER,
): Disposable {
  const groups = kinds.reduce((bits, kind) => bits | EVENT_GROUPS[kind], 0);
  const socket = new NetlinkSocket(NETLINK_ROUTE, groups);
  if (!socket.trySetOption(SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer))
    socket.trySetOption(SOL_SOCKET, SO_RCVBUF, receiveBuffer);
  let open = true;
  const readable = () => {
    for (let turn = 0; turn < RECEIVES_A_TURN && open; turn++) {
      const events = receiveEvents(socket);
      if (events === undefined) return;
      for (const event of events) {
        // The error on the socket that says so has ended the polling.
        if (event.kind === 'overrun' && open) poll.start({ readable: true }, readable);
        if (open) listener(event);
      }
    }
  };
  const poll = koffi().node.poll(socket.fd, { readable: true }, readable);
  poll.unref();
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
