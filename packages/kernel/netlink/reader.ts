import { NetlinkFormatError } from '../errors.ts';

const HEADER_LENGTH = 16;
/** The two top bits of an attribute's type are flags (nested, network order). */
const NLA_TYPE_MASK = 0x3fff;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What follows the header; a view into the received bytes. */
  readonly payload: Buffer;
}

/** Splits what one recv returned into messages. @throws NetlinkFormatError */
export function parseMessages(bytes: Buffer): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEADER_LENGTH)
      throw new NetlinkFormatError(`netlink: half a header at byte ${at}`);
    const length = bytes.readUInt32LE(at);
    if (length < HEADER_LENGTH || at + length > bytes.length)
      throw new NetlinkFormatError(`netlink: a message of ${length} bytes in ${bytes.length - at}`);
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      payload: bytes.subarray(at + HEADER_LENGTH, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** Checks that a fixed header of `length` bytes is there and returns what comes after it. @throws NetlinkFormatError */
export function afterHeader(payload: Buffer, length: number, what: string): Buffer {
  if (payload.length < length)
    throw new NetlinkFormatError(`netlink: ${what} of ${payload.length} bytes, ${length} are needed`);
  return payload.subarray((length + 3) & ~3);
}

/** Calls `visit` for every attribute, in order. @throws NetlinkFormatError */
export function eachAttribute(bytes: Buffer, visit: (type: number, value: Buffer) => void): void {
  for (let at = 0; at < bytes.length; ) {
    // Trailing padding shorter than a header is allowed, as in the kernel's nla_ok().
    if (bytes.length - at < 4) return;
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length)
      throw new NetlinkFormatError(`netlink: an attribute of ${length} bytes in ${bytes.length - at}`);
    visit(bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
}

/** The attributes of a message by type; the last wins. Every accessor throws NetlinkFormatError for a value too short. */
export class Attributes {
  readonly #values = new Map<number, Buffer>();

  constructor(bytes: Buffer) {
    eachAttribute(bytes, (type, value) => this.#values.set(type, value));
  }

  has(type: number): boolean {
    return this.#values.has(type);
  }
  bytes(type: number): Buffer | undefined {
    return this.#values.get(type);
  }
  u8(type: number): number | undefined {
    return this.#sized(type, 1)?.readUInt8(0);
  }
  u16(type: number): number | undefined {
    return this.#sized(type, 2)?.readUInt16LE(0);
  }
  u16be(type: number): number | undefined {
    return this.#sized(type, 2)?.readUInt16BE(0);
  }
  u32(type: number): number | undefined {
    return this.#sized(type, 4)?.readUInt32LE(0);
  }
  u32be(type: number): number | undefined {
    return this.#sized(type, 4)?.readUInt32BE(0);
  }
  u64(type: number): bigint | undefined {
    return this.#sized(type, 8)?.readBigUInt64LE(0);
  }
  u64be(type: number): bigint | undefined {
    return this.#sized(type, 8)?.readBigUInt64BE(0);
  }
  /** Up to the first NUL. */
  string(type: number): string | undefined {
    const value = this.#values.get(type);
    if (value === undefined) return undefined;
    const end = value.indexOf(0);
    return value.toString('utf8', 0, end < 0 ? value.length : end);
  }
  nested(type: number): Attributes | undefined {
    const value = this.#values.get(type);
    return value === undefined ? undefined : new Attributes(value);
  }

  #sized(type: number, length: number): Buffer | undefined {
    const value = this.#values.get(type);
    if (value !== undefined && value.length < length)
      throw new NetlinkFormatError(
        `netlink: attribute ${type} has ${value.length} bytes, ${length} are needed`,
      );
    return value;
  }
}
