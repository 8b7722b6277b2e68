import { WireError } from './errors.ts';
import { type DnsName, labelToText, MAX_NAME_OCTETS } from './name.ts';

/** Reads one message's octets, front to back, never past the end. */
export class MessageReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  offset = 0;

  constructor(bytes: Uint8Array, offset = 0) {
    // Never a Buffer: its slice() would share the octets, and those of a received packet are used again.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** A copy of the next octets. */
  octets(length: number): Uint8Array {
    const start = this.#take(length);
    return this.bytes.slice(start, start + length);
  }

  /** A <character-string>: a length octet and that many octets. */
  characterString(): Uint8Array {
    return this.octets(this.uint8());
  }

  /**
   * A name, compressed or not. Every pointer must point before the place where the name began, or the last pointer
   * led: so reading ends, whatever the octets are.
   */
  name(): DnsName {
    let text = '';
    let at = this.offset;
    let floor = at;
    let end = -1;
    let total = 1;
    for (;;) {
      const length = this.#octetAt(at);
      if (length === 0) {
        this.offset = end < 0 ? at + 1 : end;
        return text === '' ? '.' : text;
      }
      if (length >= 0xc0) {
        const target = ((length & 0x3f) << 8) | this.#octetAt(at + 1);
        if (target >= floor) throw new WireError('bad-pointer', `a pointer leads to ${target}`, at);
        if (end < 0) end = at + 2;
        floor = target;
        at = target;
        continue;
      }
      if (length > 0x3f) throw new WireError('bad-label', `label type ${length >> 6} does not exist`, at);
      total += length + 1;
      if (total > MAX_NAME_OCTETS) throw new WireError('name-too-long', 'a name is over 255 octets', at);
      if (at + 1 + length > this.bytes.length) throw new WireError('truncated', 'a name is cut off', at);
      text += (text === '' ? '' : '.') + labelToText(this.bytes.subarray(at + 1, at + 1 + length));
      at += length + 1;
    }
  }

  #octetAt(at: number): number {
    const octet = this.bytes[at];
    if (octet === undefined) throw new WireError('truncated', 'a name is cut off', at);
    return octet;
  }

  #take(length: number): number {
    const start = this.offset;
    if (start + length > this.bytes.length)
      throw new WireError('truncated', `${length} more octets are expected`, start);
    this.offset = start + length;
    return start;
  }
}
