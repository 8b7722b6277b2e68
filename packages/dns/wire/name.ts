import { WireError } from './errors.ts';

/**
 * A domain name as text, absolute, without the last dot; the root is `.`. Case is kept. Octets that are not printing
 * ASCII are `\DDD`, a dot or backslash inside a label is `\.` or `\\` (RFC 1035 section 5.1), so text and octets map
 * one to one.
 */
export type DnsName = string;

/** RFC 1035 section 2.3.4, the root's length octet included. */
export const MAX_NAME_OCTETS = 255;
export const MAX_LABEL_OCTETS = 63;

/** The labels' octets of a name, first label first. @throws WireError */
export function nameToLabels(name: DnsName): readonly Uint8Array[] {
  if (name === '.') return [];
  const labels: Uint8Array[] = [];
  let octets: number[] = [];
  let total = 1;
  const finish = () => {
    if (octets.length === 0) throw new WireError('bad-name', `${JSON.stringify(name)} has an empty label`);
    if (octets.length > MAX_LABEL_OCTETS)
      throw new WireError('name-too-long', `${JSON.stringify(name)} has a label over 63 octets`);
    total += octets.length + 1;
    labels.push(Uint8Array.from(octets));
    octets = [];
  };
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code === 0x2e) {
      finish();
      // A last dot is allowed: it says that the name is absolute, which all names here are.
      if (i === name.length - 1) return checkedTotal(labels, total, name);
    } else if (code === 0x5c) {
      const digits = /^[0-9]{3}/.exec(name.slice(i + 1, i + 4))?.[0];
      const octet = digits === undefined ? name.charCodeAt(i + 1) : Number(digits);
      if (!(octet < 256)) throw new WireError('bad-name', `${JSON.stringify(name)} has a bad escape`);
      octets.push(octet);
      i += digits === undefined ? 1 : 3;
    } else if (code < 0x100) octets.push(code);
    else throw new WireError('bad-name', `${JSON.stringify(name)} is not octets; write it in punycode`);
  }
  finish();
  return checkedTotal(labels, total, name);
}

function checkedTotal(labels: readonly Uint8Array[], total: number, name: DnsName): readonly Uint8Array[] {
  if (total > MAX_NAME_OCTETS)
    throw new WireError('name-too-long', `${JSON.stringify(name.slice(0, 40))}… is over 255 octets`);
  return labels;
}

/** One label's octets as text. */
export function labelToText(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) {
    if (octet === 0x2e || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`;
    else if (octet > 0x20 && octet < 0x7f) text += String.fromCharCode(octet);
    else text += `\\${String(octet).padStart(3, '0')}`;
  }
  return text;
}

/** A name in wire form, uncompressed. @throws WireError */
export function nameToWire(name: DnsName): Uint8Array {
  const labels = nameToLabels(name);
  const wire = new Uint8Array(labels.reduce((sum, label) => sum + label.length + 1, 1));
  let at = 0;
  for (const label of labels) {
    wire[at] = label.length;
    wire.set(label, at + 1);
    at += label.length + 1;
  }
  return wire;
}

/** Names are compared without regard to ASCII case (RFC 4343). */
export function canonicalName(name: DnsName): DnsName {
  const bare = name.length > 1 && name.endsWith('.') && !name.endsWith('\\.') ? name.slice(0, -1) : name;
  return bare.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Whether `name` is `zone` or below it; both canonical. */
export function isInZone(name: DnsName, zone: DnsName): boolean {
  return (
    zone === '.' || name === zone || (name.endsWith(zone) && name[name.length - zone.length - 1] === '.')
  );
}
