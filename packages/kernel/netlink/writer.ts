/** Marks an attribute that holds attributes (include/uapi/linux/netlink.h). */
const NLA_F_NESTED = 0x8000;
const HEADER_LENGTH = 16;

/**
 * Writes netlink messages one after the other into one growing buffer: RFC 3549 headers, attributes padded to 4 bytes.
 * Integers are in the machine's order, which is little-endian on every machine Podway runs on; `be` marks network order.
 */
export class NetlinkWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 4096) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written so far: valid until the next write. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  reset(): void {
    this.#length = 0;
  }

  /** One message: `body` writes what follows the header. */
  message(type: number, flags: number, sequence: number, body: (writer: NetlinkWriter) => void): void {
    const start = this.#reserve(HEADER_LENGTH);
    this.#buffer.writeUInt16LE(type, start + 4);
    this.#buffer.writeUInt16LE(flags, start + 6);
    this.#buffer.writeUInt32LE(sequence, start + 8);
    this.#buffer.writeUInt32LE(0, start + 12);
    body(this);
    this.#buffer.writeUInt32LE(this.#length - start, start);
    this.#pad();
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#buffer.writeUInt8(value, at);
    return this;
  }
  u16(value: number): this {
    const at = this.#reserve(2);
    this.#buffer.writeUInt16LE(value, at);
    return this;
  }
  u16be(value: number): this {
    const at = this.#reserve(2);
    this.#buffer.writeUInt16BE(value, at);
    return this;
  }
  u32(value: number): this {
    const at = this.#reserve(4);
    this.#buffer.writeUInt32LE(value >>> 0, at);
    return this;
  }
  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  attr(type: number, value: Uint8Array): this {
    this.#attrHeader(type, value.length);
    this.raw(value);
    this.#pad();
    return this;
  }
  attrU8(type: number, value: number): this {
    this.#attrHeader(type, 1);
    this.u8(value);
    this.#pad();
    return this;
  }
  attrU16(type: number, value: number): this {
    this.#attrHeader(type, 2);
    this.u16(value);
    this.#pad();
    return this;
  }
  attrU16be(type: number, value: number): this {
    this.#attrHeader(type, 2);
    this.u16be(value);
    this.#pad();
    return this;
  }
  attrU32(type: number, value: number): this {
    this.#attrHeader(type, 4);
    return this.u32(value);
  }
  attrU32be(type: number, value: number): this {
    this.#attrHeader(type, 4);
    const at = this.#reserve(4);
    this.#buffer.writeUInt32BE(value >>> 0, at);
    return this;
  }
  attrU64(type: number, value: bigint): this {
    this.#attrHeader(type, 8);
    const at = this.#reserve(8);
    this.#buffer.writeBigUInt64LE(value, at);
    return this;
  }
  attrU64be(type: number, value: bigint): this {
    this.#attrHeader(type, 8);
    const at = this.#reserve(8);
    this.#buffer.writeBigUInt64BE(value, at);
    return this;
  }
  /** Several values in one attribute, each padded to 4 bytes; a single one is as long as it is. */
  attrParts(type: number, parts: readonly Uint8Array[]): this {
    const start = this.#length;
    this.#attrHeader(type, 0);
    for (const part of parts) {
      this.raw(part);
      if (parts.length > 1) this.#pad();
    }
    this.patchU16(start, this.#length - start);
    this.#pad();
    return this;
  }
  /** A string with its terminating NUL. */
  attrString(type: number, value: string): this {
    return this.attr(type, Buffer.from(`${value}\0`));
  }
  /** An attribute whose value `body` writes. @returns where the attribute starts */
  nest(type: number, body: (writer: NetlinkWriter) => void): number {
    const start = this.#length;
    this.#attrHeader(type | NLA_F_NESTED, 0);
    body(this);
    this.patchU16(start, this.#length - start);
    return start;
  }

  /** Changes two bytes that were written before. */
  patchU16(at: number, value: number): void {
    this.#buffer.writeUInt16LE(value, at);
  }

  #attrHeader(type: number, valueLength: number): void {
    const at = this.#reserve(4);
    this.#buffer.writeUInt16LE(valueLength + 4, at);
    this.#buffer.writeUInt16LE(type, at + 2);
  }

  #pad(): void {
    const padding = -this.#length & 3;
    if (padding === 0) return;
    const at = this.#reserve(padding);
    this.#buffer.fill(0, at, this.#length);
  }

  /** Makes room; call it before touching the buffer, which it may replace. */
  #reserve(count: number): number {
    const at = this.#length;
    if (at + count > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, at + count));
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    this.#length = at + count;
    return at;
  }
}
