import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, errorMessage } from '#runtime';
import { SpdyConnection, type SpdyStream } from '../spdy/connection.ts';

export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
/** The same, its SPDY connection inside the messages of a WebSocket (KEP-4006). */
export const PORT_FORWARD_TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';

export interface PortForwardTarget {
  readonly clock: Clock;
  readonly podText: string;
  /** Connects to a port of the Pod. */
  connect(port: number): Promise<Socket>;
}

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
}

/** Both streams of a pair must come within this (kubelet's streamCreationTimeout). */
const PAIR_MS = 30_000;

/** Serves one port-forward session: each forwarded connection is a pair of streams, `error` and `data`. */
export function servePortForward(transport: Duplex, target: PortForwardTarget): void {
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(transport, (stream) => {
    const type = stream.headers.get('streamtype');
    const port = Number(stream.headers.get('port'));
    if ((type !== 'error' && type !== 'data') || !Number.isInteger(port) || port < 1 || port > 65535)
      return false;
    const id = stream.headers.get('requestid') ?? String(stream.id - (type === 'data' ? 2 : 0));
    const pair = pairs.get(id) ?? {};
    if (pair[type] !== undefined) return false;
    pair[type] = stream;
    if (pair.error === undefined || pair.data === undefined) {
      pairs.set(id, pair);
      target.clock.setTimer(PAIR_MS, () => void pairs.delete(id), { unref: true });
    } else {
      pairs.delete(id);
      void forward(connection, pair.data, pair.error, port, target);
    }
    return true;
  });
}

async function forward(
  connection: SpdyConnection,
  data: SpdyStream,
  error: SpdyStream,
  port: number,
  target: PortForwardTarget,
): Promise<void> {
  let socket: Socket;
  try {
    socket = await target.connect(port);
  } catch (failure) {
    error.write(
      Buffer.from(`error forwarding port ${port} to pod ${target.podText}: ${errorMessage(failure)}`),
    );
    error.end();
    data.end();
    return;
  }
  data.onData((chunk) => void socket.write(chunk));
  data.onEnd(() => socket.end());
  connection.onClose(() => socket.destroy());
  socket.on('data', (chunk) => {
    if (data.write(chunk)) return;
    socket.pause();
    connection.onDrain(() => socket.resume());
  });
  socket.on('error', (failure) => error.write(Buffer.from(failure.message)));
  socket.on('end', () => data.end());
  socket.on('close', () => {
    data.end();
    error.end();
  });
}
