const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const;
const QUANTITY = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i))?$/;
const NANO = 1_000_000_000n;

/**
 * The one way to write a quantity: without fraction, with the largest suffix of its kind (`0.5` is `500m`, `1024Mi` is `1Gi`),
 * no finer than 1e-9, rounded away from zero. undefined when it is none.
 * Source: apimachinery resource.Quantity CanonicalizeBytes.
 */
export function canonicalQuantity(text: string): string | undefined {
  const match = QUANTITY.exec(text);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent, suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const binary = BINARY.indexOf(suffix as (typeof BINARY)[number]);
  const power =
    exponent !== undefined ? Number(exponent) : binary > 0 ? 0 : 3 * (DECIMAL.indexOf(suffix as 'n') - 3);
  const nano = scaled(BigInt(`${whole}${fraction}`), Math.max(binary, 0), power + 9 - fraction.length);
  if (nano === 0n) return '0';
  const minus = sign === '-' ? '-' : '';
  // Below 1024 a binary suffix would say less.
  if (binary > 0 && nano >= 1024n * NANO) return minus + largest(ceilDivide(nano, NANO), 1024n, BINARY);
  if (exponent !== undefined) return minus + withExponent(nano);
  return minus + largest(nano, 1000n, DECIMAL);
}

/** `digits * 1024^binary * 10^power`, rounded up. */
function scaled(digits: bigint, binary: number, power: number): bigint {
  const value = digits * 1024n ** BigInt(binary);
  return power >= 0 ? value * 10n ** BigInt(power) : ceilDivide(value, 10n ** BigInt(-power));
}

function ceilDivide(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

function largest(value: bigint, base: bigint, suffixes: readonly string[]): string {
  let rest = value;
  let index = 0;
  for (; index < suffixes.length - 1 && rest % base === 0n; index++) rest /= base;
  return `${rest}${suffixes[index]}`;
}

function withExponent(nano: bigint): string {
  let rest = nano;
  let exponent = -9;
  for (; rest % 1000n === 0n; exponent += 3) rest /= 1000n;
  return exponent === 0 ? `${rest}` : `${rest}e${exponent}`;
}
