/** A line of a benchmark's table: named cells, in the order of the first row's names. */
export type Row = Readonly<Record<string, string | number>>;

export interface BenchmarkResult {
  /** The figures that are compared over time. */
  readonly figures: Readonly<Record<string, number>>;
  /** What they are made of. */
  readonly rows: readonly Row[];
}

/** Every file `bench/NAME.ts` exports one, as `benchmark`. */
export interface Benchmark {
  readonly name: string;
  /** What is measured, and how, in a sentence. */
  readonly about: string;
  run(options: { readonly progress: (text: string) => void }): Promise<BenchmarkResult>;
}

/** @throws RangeError when there are no values */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1);
  if (low === undefined || high === undefined) throw new RangeError('the median of nothing');
  return (low + high) / 2;
}
