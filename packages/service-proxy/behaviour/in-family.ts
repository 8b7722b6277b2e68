import type { IpFamily } from '#ip';

/**
 * The cases are written in IPv4. In IPv6 every address A.B.C.D of theirs is `fd00::A:B:C:D` (the digits taken as hex), every prefix is as
 * much longer, and the names of the families are exchanged: one text, two suites.
 */
export function inFamily<T>(family: IpFamily, value: T): T {
  if (family === 'IPv4') return value;
  const text = JSON.stringify(value)
    .replace(/\b(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?\b/g, (_, a, b, c, d, length: string | undefined) => {
      if (length === '0') return '::/0';
      return `fd00::${a}:${b}:${c}:${d}${length === undefined ? '' : `/${64 + 2 * Number(length)}`}`;
    })
    .replace(/"IPv([46])"/g, (_, version) => (version === '4' ? '"IPv6"' : '"IPv4"'));
  return JSON.parse(text) as T;
}
