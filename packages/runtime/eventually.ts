import { setTimeout } from 'node:timers/promises';

/** What is late on a busy machine is not wrong: only what hangs takes as long. */
const LIMIT_MS = 60_000;

/**
 * For tests of what happens in its own time: resolves to what `look` gives once that is neither undefined nor false. After a minute it
 * fails, with what `look` last threw as the cause.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    let last: unknown;
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end)
      throw new Error(`did not happen in ${LIMIT_MS / 1000} s: ${what}`, { cause: last });
    await setTimeout(5);
  }
}
