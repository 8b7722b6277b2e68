import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** Asks one question at a time, to measure what a client waits. */
export class SamplingClient implements Disposable {
  readonly #socket = createSocket('udp4');
  readonly #port: number;
  #id = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** Milliseconds to the reply, and the first IPv4 address in it. A reply that does not come within 2 s is none. */
  async ask(name: string): Promise<{ readonly ms: number; readonly address: string | undefined }> {
    this.#id = (this.#id + 1) & 0xffff;
    const query = encodeQuery(this.#id, name);
    const start = performance.now();
    this.#socket.send(query, this.#port, '127.0.0.1');
    for (;;) {
      const waited = once(this.#socket, 'message', { signal: AbortSignal.timeout(2000) });
      const [reply] = (await waited.catch(() => [undefined])) as [Buffer | undefined];
      const ms = performance.now() - start;
      if (reply === undefined) return { ms, address: undefined };
      if (reply.readUInt16BE(0) !== this.#id) continue;
      const answers = reply.readUInt16BE(6);
      // The record's address is its last four octets, when it is the only record.
      return {
        ms,
        address: answers === 1 ? [...reply.subarray(query.length + 12)].slice(0, 4).join('.') : undefined,
      };
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function encodeQuery(id: number, name: string): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]);
  const header = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}
