import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpdyDecoder, SpdyEncoder } from '../spdy/codec.ts';

/** What came over one stream. */
interface Received {
  text: string;
  ended: boolean;
}

/** A client of SPDY/3.1 sessions, as kubectl up to 1.30. */
export interface SpdyClient {
  open(headers: Readonly<Record<string, string>>): number;
  send(stream: number, text: string, fin?: boolean): void;
  /** Resolves to everything that came over the stream, when the server has ended it. */
  ended(stream: number): Promise<string>;
  close(): void;
}

/** Upgrades a POST on a unix socket. */
export async function connectSpdy(socketPath: string, path: string, protocol: string): Promise<SpdyClient> {
  const socket = await new Promise<Duplex>((resolve, reject) => {
    const outgoing = request({
      socketPath,
      path,
      method: 'POST',
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol },
    });
    outgoing.on('upgrade', (_response, upgraded) => resolve(upgraded));
    outgoing.on('response', (response) => reject(new Error(`HTTP ${response.statusCode}`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
  const encoder = new SpdyEncoder();
  const decoder = new SpdyDecoder();
  const streams = new Map<number, Received>();
  const waiting = new Map<number, (text: string) => void>();
  socket.on('data', (chunk: Buffer) => {
    for (const frame of decoder.push(chunk)) {
      if (frame.type !== 'data') continue;
      const stream = streams.get(frame.stream);
      if (stream === undefined) continue;
      stream.text += Buffer.from(frame.data).toString();
      stream.ended ||= frame.fin;
      if (stream.ended) waiting.get(frame.stream)?.(stream.text);
    }
  });
  socket.on('error', () => {});
  let next = 1;
  return {
    open(headers) {
      const stream = next;
      next += 2;
      streams.set(stream, { text: '', ended: false });
      socket.write(
        encoder.encode({ type: 'syn-stream', stream, headers: new Map(Object.entries(headers)), fin: false }),
      );
      return stream;
    },
    send: (stream, text, fin = false) => {
      socket.write(encoder.encode({ type: 'data', stream, data: Buffer.from(text), fin }));
    },
    ended: (id) =>
      new Promise((resolve) => {
        const stream = streams.get(id);
        if (stream?.ended === true) resolve(stream.text);
        else waiting.set(id, resolve);
      }),
    close: () => void socket.destroy(),
  };
}
