import { constants, inflateRawSync } from 'node:zlib';
import { SPDY_DICTIONARY } from './dictionary.ts';
import { SpdyError } from './error.ts';

/** Headers of a stream; names in lower case. A header with several values has them joined by NUL (section 2.6.10). */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Deflate looks back this far (RFC 1951). */
const WINDOW = 32 * 1024;
/** A peer's header block may not become larger than this. */
const MAX_BLOCK = 1024 * 1024;

/**
 * Reads the header blocks of one direction of a connection, which are one zlib stream. Each block ends with a flush to
 * a byte boundary, so that each can be inflated by itself with what came before as its dictionary.
 */
export class HeaderBlockReader {
  #window: Buffer | undefined;

  /** @throws SpdyError */
  read(block: Uint8Array): SpdyHeaders {
    let deflated = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
    if (this.#window === undefined) {
      const hasDictionary = ((deflated[1] ?? 0) & 0x20) !== 0;
      deflated = deflated.subarray(hasDictionary ? 6 : 2);
      this.#window = hasDictionary ? SPDY_DICTIONARY : Buffer.alloc(0);
    }
    const text = this.#inflate(deflated, this.#window);
    this.#window = Buffer.concat([this.#window, text]).subarray(-WINDOW);
    return parseHeaders(text);
  }

  #inflate(deflated: Buffer, dictionary: Buffer): Buffer {
    try {
      return inflateRawSync(deflated, {
        ...(dictionary.length === 0 ? {} : { dictionary }),
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: MAX_BLOCK,
      });
    } catch (error) {
      throw new SpdyError('a header block cannot be inflated', { cause: error });
    }
  }
}

/** An empty stored block: what a flush writes. Go's inflate hands out what it has only when it meets one. */
const FLUSH = Buffer.from([0, 0, 0, 0xff, 0xff]);

/** Writes header blocks of one direction as stored deflate blocks: a valid zlib stream that needs no state. */
export class HeaderBlockWriter {
  #first = true;

  write(headers: SpdyHeaders): Buffer {
    const text = formatHeaders(headers);
    if (text.length > 0xffff) throw new SpdyError('a header block is too large');
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(text.length, 1);
    stored.writeUInt16LE(text.length ^ 0xffff, 3);
    const start = this.#first ? Buffer.from([0x78, 0x01]) : Buffer.alloc(0);
    this.#first = false;
    return Buffer.concat([start, stored, text, FLUSH]);
  }
}

function parseHeaders(text: Buffer): SpdyHeaders {
  const headers = new Map<string, string>();
  let offset = 0;
  const number = () => {
    if (offset + 4 > text.length) throw new SpdyError('a header block is cut off');
    offset += 4;
    return text.readUInt32BE(offset - 4);
  };
  const string = () => {
    const length = number();
    if (offset + length > text.length) throw new SpdyError('a header block is cut off');
    offset += length;
    return text.toString('utf8', offset - length, offset);
  };
  for (let count = number(); count > 0; count--) {
    const name = string().toLowerCase();
    headers.set(name, string());
  }
  return headers;
}

function formatHeaders(headers: SpdyHeaders): Buffer {
  const word = (text: string) => {
    const bytes = Buffer.from(text);
    return [uint32(bytes.length), bytes];
  };
  return Buffer.concat([
    uint32(headers.size),
    ...[...headers].flatMap(([name, value]) => [...word(name.toLowerCase()), ...word(value)]),
  ]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
