import { InvalidInputError } from '#runtime';

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;

/** The number a quantity stands for (`100m` is 0.1), or undefined when it is none. Source: apimachinery resource.Quantity. */
export function tryParseQuantity(text: string | number): number | undefined {
  if (typeof text === 'number') return Number.isFinite(text) ? text : undefined;
  const match = QUANTITY.exec(text);
  if (match === null) return undefined;
  const [, digits = '', exponent, suffix = ''] = match;
  return exponent === undefined ? Number(digits) * (SUFFIXES[suffix] ?? 1) : Number(`${digits}${exponent}`);
}

/** As {@link tryParseQuantity}; throws InvalidInputError naming `field`. */
export function parseQuantity(text: string | number, field = 'quantity'): number {
  const value = tryParseQuantity(text);
  if (value === undefined)
    throw new InvalidInputError(field, text, 'must be a quantity such as 100m, 0.5 or 1Gi');
  return value;
}
