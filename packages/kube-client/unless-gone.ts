import { isNotFound } from './errors.ts';

/** Does the work; that its object is gone already is as good as done. */
export async function unlessGone(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
