import type { Duplex } from 'node:stream';
import { MAX_DATA, SpdyDecoder, SpdyEncoder, type SpdyFrame } from './codec.ts';
import type { SpdyHeaders } from './header-block.ts';

/** A stream that the client opened. */
export interface SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  onData(listener: (data: Uint8Array) => void): void;
  /** The client has half closed, reset, or is gone. */
  onEnd(listener: () => void): void;
  /** False while the connection's buffer is full: see {@link SpdyConnection.onDrain}. */
  write(data: Uint8Array): boolean;
  /** Half closes our side. */
  end(): void;
}

/** RST_STREAM status for a stream that we do not take. */
const REFUSED_STREAM = 3;

/**
 * The server's side of a SPDY/3.1 connection over any duplex. There is no per-stream flow control, as in the Go library
 * that Kubernetes uses on both sides: the transport's own holds back.
 */
export class SpdyConnection {
  readonly #transport: Duplex;
  readonly #decoder = new SpdyDecoder();
  readonly #encoder = new SpdyEncoder();
  readonly #streams = new Map<number, ServerStream>();
  readonly #closeListeners: (() => void)[] = [];
  #closed = false;

  /** @param accept called for each new stream; false refuses it */
  constructor(transport: Duplex, accept: (stream: SpdyStream) => boolean) {
    this.#transport = transport;
    transport.on('data', (chunk: Uint8Array) => {
      try {
        for (const frame of this.#decoder.push(chunk)) this.#receive(frame, accept);
      } catch {
        transport.destroy();
      }
    });
    const closed = () => this.#onClosed();
    transport.on('end', closed).on('close', closed).on('error', closed);
  }

  onClose(listener: () => void): void {
    if (this.#closed) listener();
    else this.#closeListeners.push(listener);
  }

  /** Calls once, when the transport takes more. */
  onDrain(listener: () => void): void {
    this.#transport.once('drain', listener);
  }

  /** Says goodbye and ends the transport once everything is written. */
  close(): void {
    if (this.#closed) return;
    const lastStream = Math.max(0, ...this.#streams.keys());
    this.#send({ type: 'goaway', lastStream, status: 0 });
    this.#transport.end();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#transport.destroy();
  }

  #receive(frame: SpdyFrame, accept: (stream: SpdyStream) => boolean): void {
    switch (frame.type) {
      case 'syn-stream': {
        const stream = new ServerStream(frame.stream, frame.headers, (out) => this.#send(out));
        if (!accept(stream)) {
          this.#send({ type: 'rst-stream', stream: frame.stream, status: REFUSED_STREAM });
          return;
        }
        this.#streams.set(frame.stream, stream);
        this.#send({ type: 'syn-reply', stream: frame.stream, headers: new Map(), fin: false });
        if (frame.fin) stream.receiveEnd();
        return;
      }
      case 'data': {
        const stream = this.#streams.get(frame.stream);
        if (frame.data.length > 0) stream?.receive(frame.data);
        if (frame.fin) this.#end(frame.stream);
        return;
      }
      case 'rst-stream':
        this.#end(frame.stream);
        this.#streams.delete(frame.stream);
        return;
      case 'ping':
        this.#send(frame);
        return;
      case 'headers':
        if (frame.fin) this.#end(frame.stream);
        return;
      case 'goaway':
      case 'syn-reply':
      case 'window-update':
      case 'settings':
        return;
    }
  }

  #end(id: number): void {
    const stream = this.#streams.get(id);
    stream?.receiveEnd();
    if (stream?.ended === true) this.#streams.delete(id);
  }

  #send(frame: SpdyFrame): boolean {
    if (this.#closed || !this.#transport.writable) return true;
    if (frame.type === 'data' && frame.fin && this.#streams.get(frame.stream)?.receivedEnd === true)
      this.#streams.delete(frame.stream);
    return this.#transport.write(this.#encoder.encode(frame));
  }

  #onClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#transport.destroy();
    for (const stream of this.#streams.values()) stream.receiveEnd();
    this.#streams.clear();
    for (const listener of this.#closeListeners.splice(0)) listener();
  }
}

class ServerStream implements SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #send: (frame: SpdyFrame) => boolean;
  readonly #early: Uint8Array[] = [];
  #onData: ((data: Uint8Array) => void) | undefined;
  #onEnd: (() => void) | undefined;
  receivedEnd = false;
  ended = false;

  constructor(id: number, headers: SpdyHeaders, send: (frame: SpdyFrame) => boolean) {
    this.id = id;
    this.headers = headers;
    this.#send = send;
  }

  onData(listener: (data: Uint8Array) => void): void {
    this.#onData = listener;
    for (const data of this.#early.splice(0)) listener(data);
  }

  onEnd(listener: () => void): void {
    this.#onEnd = listener;
    if (this.receivedEnd) listener();
  }

  write(data: Uint8Array): boolean {
    if (this.ended) return true;
    let more = true;
    for (let offset = 0; offset < data.length; offset += MAX_DATA)
      more = this.#send({
        type: 'data',
        stream: this.id,
        data: data.subarray(offset, offset + MAX_DATA),
        fin: false,
      });
    return more;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.#send({ type: 'data', stream: this.id, data: new Uint8Array(), fin: true });
  }

  receive(data: Uint8Array): void {
    if (this.#onData === undefined) this.#early.push(data);
    else this.#onData(data);
  }

  receiveEnd(): void {
    if (this.receivedEnd) return;
    this.receivedEnd = true;
    this.#onEnd?.();
  }
}
