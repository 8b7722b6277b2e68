import { setTimeout } from 'node:timers/promises';

/** Resolves to what `look` gives once it gives anything; fails with what it last threw, or said nothing about, after `ms`. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  ms = 10_000,
): Promise<T> {
  const end = performance.now() + ms;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    await setTimeout(5);
  }
  throw new Error(`did not happen in ${ms} ms: ${what}`, { cause: last });
}
