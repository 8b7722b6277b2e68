/** The part of ASN.1's distinguished encoding (X.690) that a certificate needs: each function returns one whole element. */

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export function element(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  // Short form below 128, else the number of length bytes and the length (X.690 section 8.1.3).
  const size = length < 0x80 ? [length] : lengthBytes(length);
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function lengthBytes(length: number): readonly number[] {
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...items: readonly Uint8Array[]): Buffer =>
  element(TAG.sequence, Buffer.concat(items));
export const set = (...items: readonly Uint8Array[]): Buffer => element(TAG.set, Buffer.concat(items));
export const octetString = (content: Uint8Array): Buffer => element(TAG.octetString, content);
export const utf8String = (text: string): Buffer => element(TAG.utf8String, Buffer.from(text));
export const boolean = (value: boolean): Buffer => element(TAG.boolean, Buffer.from([value ? 0xff : 0]));

/** Whole bytes; `unused` bits at the end do not count. */
export const bitString = (content: Uint8Array, unused = 0): Buffer =>
  element(TAG.bitString, Buffer.concat([Buffer.from([unused]), content]));

/** An unsigned number, most significant byte first. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  const negative = ((trimmed[0] ?? 0) & 0x80) !== 0;
  return element(TAG.integer, negative ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed);
}

/** `1.2.840.…`: the first two arcs in one byte, the others in base 128 (X.690 section 8.19). */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let value = Math.floor(arc / 128); value > 0; value = Math.floor(value / 128))
      groups.unshift((value & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return element(TAG.objectIdentifier, Buffer.from(bytes));
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). Whole seconds. */
export function time(at: Date): Buffer {
  const digits = at
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  return at.getUTCFullYear() < 2050
    ? element(TAG.utcTime, Buffer.from(digits.slice(2)))
    : element(TAG.generalizedTime, Buffer.from(digits));
}

/** Context-specific tag that wraps a whole element. */
export const explicit = (tag: number, content: Uint8Array): Buffer => element(0xa0 | tag, content);
/** Context-specific tag in place of a primitive's own. */
export const implicit = (tag: number, content: Uint8Array): Buffer => element(0x80 | tag, content);
