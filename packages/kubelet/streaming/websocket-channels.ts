import type { WebSocket } from 'ws';
import { type Channels, ResizeParser, type StreamRequest } from './channels.ts';

/** Remote command protocols over WebSocket, the best first; v5 can half close the input. */
export const WEBSOCKET_COMMAND_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;

/** The first byte of each message (KEP-4006). */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** How much a client may leave unread before who writes has to wait. Bytes. */
const MAX_BUFFERED = 256 * 1024;

export function websocketChannels(socket: WebSocket, request: StreamRequest): Channels {
  const resizes = new ResizeParser();
  let onStdin: ((data: Uint8Array | undefined) => void) | undefined;
  const early: (Uint8Array | undefined)[] = [];
  const stdin = (data: Uint8Array | undefined) => {
    if (onStdin === undefined) early.push(data);
    else onStdin(data);
  };
  let onResize: Parameters<Channels['onResize']>[0] = () => {};
  const send = (channel: number, data: Uint8Array): Promise<void> | undefined => {
    if (socket.readyState !== socket.OPEN) return undefined;
    const message = Buffer.concat([Buffer.from([channel]), data]);
    if (socket.bufferedAmount < MAX_BUFFERED) {
      socket.send(message);
      return undefined;
    }
    return new Promise((resolve) => socket.send(message, () => resolve()));
  };
  socket.on('message', (message) => {
    const bytes = toBuffer(message);
    const data = bytes.subarray(1);
    if (bytes[0] === CHANNEL.stdin && data.length > 0) stdin(data);
    if (bytes[0] === CHANNEL.resize) for (const size of resizes.push(data)) onResize(size);
    if (bytes[0] === CHANNEL.close && data[0] === CHANNEL.stdin) stdin(undefined);
  });
  // Tells the client that the streams are there.
  send(request.stdout ? CHANNEL.stdout : request.stderr ? CHANNEL.stderr : CHANNEL.error, new Uint8Array());
  return {
    onStdin(listener) {
      onStdin = listener;
      for (const data of early.splice(0)) listener(data);
    },
    onResize(listener) {
      onResize = listener;
    },
    onClose(listener) {
      socket.on('close', listener);
    },
    write: (stream, data) => send(CHANNEL[stream], data),
    finish(status) {
      send(CHANNEL.error, Buffer.from(JSON.stringify(status)));
      socket.close(1000);
    },
  };
}

export function toBuffer(message: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Array.isArray(message)) return Buffer.concat(message);
  return Buffer.isBuffer(message) ? message : Buffer.from(message);
}
