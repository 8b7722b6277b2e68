import type { Duplex } from 'node:stream';
import type { Clock } from '#runtime';
import type { SpdyStream } from '../spdy/connection.ts';
import { SpdyConnection } from '../spdy/connection.ts';
import { type Channels, ResizeParser, type StreamRequest } from './channels.ts';

/** The newest remote command protocol over SPDY: the error stream carries a Status. */
export const SPDY_COMMAND_PROTOCOL = 'v4.channel.k8s.io';

/** How long a client has to open its streams (kubelet's streamCreationTimeout). */
const CREATION_MS = 30_000;

/** Waits for the streams that the client announced. @throws when they do not come */
export function spdyChannels(transport: Duplex, request: StreamRequest, clock: Clock): Promise<Channels> {
  const wanted = new Set([
    'error',
    ...(request.stdin ? ['stdin'] : []),
    ...(request.stdout ? ['stdout'] : []),
    ...(request.stderr && !request.tty ? ['stderr'] : []),
    ...(request.tty ? ['resize'] : []),
  ]);
  const streams = new Map<string, SpdyStream>();
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(CREATION_MS, () => {
      connection.destroy();
      reject(new Error('timed out waiting for the client to create streams'));
    });
    const connection: SpdyConnection = new SpdyConnection(transport, (stream) => {
      const type = stream.headers.get('streamtype') ?? '';
      if (!wanted.has(type) || streams.has(type)) return false;
      streams.set(type, stream);
      if (streams.size === wanted.size) {
        timer[Symbol.dispose]();
        resolve(channelsOf(connection, streams));
      }
      return true;
    });
    connection.onClose(() => {
      timer[Symbol.dispose]();
      reject(new Error('the client went away'));
    });
  });
}

function channelsOf(connection: SpdyConnection, streams: ReadonlyMap<string, SpdyStream>): Channels {
  return {
    onStdin(listener) {
      const stream = streams.get('stdin');
      stream?.onData(listener);
      stream?.onEnd(() => listener(undefined));
    },
    onResize(listener) {
      const parser = new ResizeParser();
      streams.get('resize')?.onData((data) => {
        for (const size of parser.push(data)) listener(size);
      });
    },
    onClose: (listener) => connection.onClose(listener),
    write(stream, data) {
      if (streams.get(stream)?.write(data) !== false) return undefined;
      return new Promise((resolve) => {
        connection.onDrain(resolve);
        connection.onClose(resolve);
      });
    },
    finish(status) {
      for (const name of ['stdout', 'stderr']) streams.get(name)?.end();
      const error = streams.get('error');
      error?.write(Buffer.from(JSON.stringify(status)));
      error?.end();
      connection.close();
    },
  };
}
