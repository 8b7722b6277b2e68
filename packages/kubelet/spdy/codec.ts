import { SpdyError } from './error.ts';
import { HeaderBlockReader, HeaderBlockWriter, type SpdyHeaders } from './header-block.ts';

/** A frame of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, section 2.6); SETTINGS and WINDOW_UPDATE carry nothing we use. */
export type SpdyFrame =
  | { readonly type: 'data'; readonly stream: number; readonly data: Uint8Array; readonly fin: boolean }
  | {
      readonly type: 'syn-stream';
      readonly stream: number;
      readonly headers: SpdyHeaders;
      readonly fin: boolean;
    }
  | {
      readonly type: 'syn-reply';
      readonly stream: number;
      readonly headers: SpdyHeaders;
      readonly fin: boolean;
    }
  | {
      readonly type: 'headers';
      readonly stream: number;
      readonly headers: SpdyHeaders;
      readonly fin: boolean;
    }
  | { readonly type: 'rst-stream'; readonly stream: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goaway'; readonly lastStream: number; readonly status: number }
  | { readonly type: 'window-update'; readonly stream: number; readonly delta: number }
  | { readonly type: 'settings' };

const TYPE = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  windowUpdate: 9,
};
const VERSION = 3;
const FIN = 1;
const HEAD = 8;
/** Longer data goes in several frames: the length field has 24 bits. */
export const MAX_DATA = 0xffffff;

/** Bytes in, frames out. */
export class SpdyDecoder {
  readonly #blocks = new HeaderBlockReader();
  #rest: Buffer = Buffer.alloc(0);

  /** Takes the next bytes and returns the frames that are complete. @throws SpdyError */
  push(bytes: Uint8Array): readonly SpdyFrame[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: SpdyFrame[] = [];
    for (;;) {
      if (this.#rest.length < HEAD) return frames;
      const end = HEAD + this.#rest.readUIntBE(5, 3);
      if (this.#rest.length < end) return frames;
      const frame = this.#frame(this.#rest.subarray(0, HEAD), this.#rest.subarray(HEAD, end));
      this.#rest = this.#rest.subarray(end);
      if (frame !== undefined) frames.push(frame);
    }
  }

  #frame(head: Buffer, body: Buffer): SpdyFrame | undefined {
    const first = head.readUInt32BE(0);
    const fin = ((head[4] ?? 0) & FIN) !== 0;
    if (first >>> 31 === 0) return { type: 'data', stream: first, data: body, fin };
    const version = (first >>> 16) & 0x7fff;
    if (version !== VERSION) throw new SpdyError(`unsupported version ${version}`);
    const type = first & 0xffff;
    const word = (offset: number) => {
      if (body.length < offset + 4) throw new SpdyError(`a frame of type ${type} is cut off`);
      return body.readUInt32BE(offset) & 0x7fffffff;
    };
    switch (type) {
      case TYPE.synStream:
        return { type: 'syn-stream', stream: word(0), headers: this.#blocks.read(body.subarray(10)), fin };
      case TYPE.synReply:
        return { type: 'syn-reply', stream: word(0), headers: this.#blocks.read(body.subarray(4)), fin };
      case TYPE.headers:
        return { type: 'headers', stream: word(0), headers: this.#blocks.read(body.subarray(4)), fin };
      case TYPE.rstStream:
        return { type: 'rst-stream', stream: word(0), status: word(4) };
      case TYPE.ping:
        return { type: 'ping', id: body.readUInt32BE(0) };
      case TYPE.goaway:
        return { type: 'goaway', lastStream: word(0), status: word(4) };
      case TYPE.windowUpdate:
        return { type: 'window-update', stream: word(0), delta: word(4) };
      case TYPE.settings:
        return { type: 'settings' };
      default:
        // Unknown control frames are to be ignored.
        return undefined;
    }
  }
}

/** Frames in, bytes out. */
export class SpdyEncoder {
  readonly #blocks = new HeaderBlockWriter();

  encode(frame: SpdyFrame): Buffer {
    switch (frame.type) {
      case 'data':
        return Buffer.concat([head(frame.stream, frame.fin, frame.data.length), frame.data]);
      case 'syn-stream': {
        // No associated stream, highest priority, no credential slot.
        const body = Buffer.concat([
          words(frame.stream, 0),
          Buffer.alloc(2),
          this.#blocks.write(frame.headers),
        ]);
        return control(TYPE.synStream, frame.fin, body);
      }
      case 'syn-reply':
        return control(
          TYPE.synReply,
          frame.fin,
          Buffer.concat([words(frame.stream), this.#blocks.write(frame.headers)]),
        );
      case 'headers':
        return control(
          TYPE.headers,
          frame.fin,
          Buffer.concat([words(frame.stream), this.#blocks.write(frame.headers)]),
        );
      case 'rst-stream':
        return control(TYPE.rstStream, false, words(frame.stream, frame.status));
      case 'ping':
        return control(TYPE.ping, false, words(frame.id));
      case 'goaway':
        return control(TYPE.goaway, false, words(frame.lastStream, frame.status));
      case 'window-update':
        return control(TYPE.windowUpdate, false, words(frame.stream, frame.delta));
      case 'settings':
        return control(TYPE.settings, false, words(0));
    }
  }
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * index);
  return bytes;
}

function head(first: number, fin: boolean, length: number): Buffer {
  const bytes = Buffer.alloc(HEAD);
  bytes.writeUInt32BE(first >>> 0, 0);
  bytes[4] = fin ? FIN : 0;
  bytes.writeUIntBE(length, 5, 3);
  return bytes;
}

function control(type: number, fin: boolean, body: Buffer): Buffer {
  const first = (0x80000000 | (VERSION << 16) | type) >>> 0;
  return Buffer.concat([head(first, fin, body.length), body]);
}
