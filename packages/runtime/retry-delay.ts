/** The delay after the first failure, and the largest; milliseconds. */
export interface RetryDelays {
  readonly first: number;
  readonly max: number;
}

/** How long to wait after the n-th failure in a row, n from 1 on: twice as long as after the one before. Milliseconds. */
export function retryDelay(failures: number, { first, max }: RetryDelays): number {
  return Math.min(max, first * 2 ** (failures - 1));
}
