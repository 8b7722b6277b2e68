import { WireError } from './errors.ts';
import { type DnsName, MAX_LABEL_OCTETS, MAX_NAME_OCTETS, nameToLabels } from './name.ts';

/** A compression pointer has 14 bits (RFC 1035 section 4.1.4). */
const MAX_POINTER = 0x3fff;

/** Octets of one message as they are written; names are compressed against those written before. */
export class MessageWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;
  readonly #limit: number;
  /** Where each name (a suffix of one written) begins. Case counts, so that compression never changes a name. */
  readonly #offsets = new Map<DnsName, number>();

  /** `limit`: most octets; a message over TCP has at most 65535. */
  constructor(limit = 0xffff, initial = 512) {
    this.#limit = limit;
    this.#bytes = new Uint8Array(initial);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Takes back all from `length` on. */
  rewind(length: number): void {
    this.#length = length;
    for (const [name, offset] of this.#offsets) if (offset >= length) this.#offsets.delete(name);
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Overwrites two octets written before (a length, a count). */
  patchUint16(offset: number, value: number): void {
    this.#view.setUint16(offset, value);
  }

  /** Writes a name; `compress` false writes it whole (SRV targets, RFC 2782), though later names may point into it. */
  name(name: DnsName, compress = true): void {
    if (name.includes('\\')) this.#escapedName(name, compress);
    else this.#plainName(name, compress);
  }

  #plainName(name: DnsName, compress: boolean): void {
    if (name === '') throw new WireError('bad-name', 'a name is empty; the root is "."');
    // A last dot says that the name is absolute, which all names here are.
    let rest = name === '.' ? '' : name.endsWith('.') ? name.slice(0, -1) : name;
    let total = 1;
    for (let last = rest === ''; !last; ) {
      if (compress && this.#pointTo(rest)) return;
      this.#remember(rest);
      const dot = rest.indexOf('.');
      const label = dot < 0 ? rest : rest.slice(0, dot);
      total += label.length + 1;
      this.#checkLabel(label.length, total, name);
      this.#reserve(label.length + 1);
      this.#bytes[this.#length++] = label.length;
      for (let i = 0; i < label.length; i++) {
        const code = label.charCodeAt(i);
        if (code > 0xff) throw new WireError('bad-name', `${JSON.stringify(name)} is not octets`);
        this.#bytes[this.#length++] = code;
      }
      last = dot < 0;
      rest = rest.slice(dot + 1);
    }
    this.uint8(0);
  }

  /** Rare: names with escapes are compared label by label, so they are written whole. */
  #escapedName(name: DnsName, compress: boolean): void {
    if (compress && this.#pointTo(name)) return;
    this.#remember(name);
    for (const label of nameToLabels(name)) {
      this.uint8(label.length);
      this.bytes(label);
    }
    this.uint8(0);
  }

  #checkLabel(octets: number, total: number, name: DnsName): void {
    if (octets === 0) throw new WireError('bad-name', `${JSON.stringify(name)} has an empty label`);
    if (octets > MAX_LABEL_OCTETS || total > MAX_NAME_OCTETS)
      throw new WireError('name-too-long', `${JSON.stringify(name.slice(0, 40))}… is too long`);
  }

  #pointTo(name: DnsName): boolean {
    const offset = this.#offsets.get(name);
    if (offset === undefined) return false;
    this.uint16(0xc000 | offset);
    return true;
  }

  #remember(name: DnsName): void {
    if (this.#length <= MAX_POINTER && !this.#offsets.has(name)) this.#offsets.set(name, this.#length);
  }

  #reserve(octets: number): void {
    const needed = this.#length + octets;
    if (needed > this.#limit)
      throw new WireError('too-large', `over ${this.#limit} octets are needed`, this.#length);
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.min(this.#limit, Math.max(needed, this.#bytes.length * 2)));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
