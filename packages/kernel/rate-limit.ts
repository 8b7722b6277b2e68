import { InvalidInputError } from '#runtime';
import type { RateLimit } from './ports/shaping.ts';

/** @throws InvalidInputError for a rate below a byte a second or a burst that no packet fits into */
export function checkRateLimit(link: string, { rate, burst }: RateLimit): void {
  if (!Number.isFinite(rate) || rate < 8)
    throw new InvalidInputError(`rate of ${link}`, rate, 'at least 8 bits a second are needed');
  if (!Number.isFinite(burst) || burst < 8 * 1500)
    throw new InvalidInputError(`burst of ${link}`, burst, 'at least one packet, 12000 bits, is needed');
}
