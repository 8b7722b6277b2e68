import { isNotFound, isReplaced } from './errors.ts';

/** Does the work; that its object is gone already, even if another one has its name, is as good as done. */
export async function unlessGone(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isNotFound(error) && !isReplaced(error)) throw error;
  }
}
