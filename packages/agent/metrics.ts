import { memoryUsage } from 'node:process';

type Labels = Readonly<Record<string, string>>;

/**
 * Numbers for Prometheus, in its text format 0.0.4. Names are `podway_SUBJECT_WHAT_UNIT`; counters end in `_total`; labels
 * have few values each (a command, a result; never a Pod or an address).
 */
export class Metrics {
  readonly #families = new Map<
    string,
    { readonly help: string; readonly type: 'counter' | 'gauge'; readonly values: Map<string, number> }
  >();
  readonly #histograms = new Map<string, Histogram>();
  readonly #collectors: (() => void)[] = [];

  add(name: string, help: string, labels: Labels = {}, amount = 1): void {
    const values = this.#family(name, help, 'counter');
    const key = formatLabels(labels);
    values.set(key, (values.get(key) ?? 0) + amount);
  }

  set(name: string, help: string, value: number, labels: Labels = {}): void {
    this.#family(name, help, 'gauge').set(formatLabels(labels), value);
  }

  /** @param buckets upper bounds, ascending */
  observe(name: string, help: string, buckets: readonly number[], value: number): void {
    const histogram = this.#histograms.get(name) ?? {
      help,
      counts: buckets.map(() => 0),
      buckets,
      count: 0,
      sum: 0,
    };
    this.#histograms.set(name, histogram);
    histogram.count++;
    histogram.sum += value;
    const bucket = buckets.findIndex((bound) => value <= bound);
    if (bucket >= 0) histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
  }

  /** Asked before each print: for numbers that are cheap to read and change often. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect);
  }

  format(): string {
    this.set('process_resident_memory_bytes', 'Resident memory of the agent.', memoryUsage.rss());
    for (const collect of this.#collectors) collect();
    const families = [...this.#families].map(([name, { help, type, values }]) => {
      const lines = [...values].map(([labels, value]) => `${name}${labels} ${value}\n`);
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
    });
    return [...families, ...[...this.#histograms].map(formatHistogram)].join('');
  }

  #family(name: string, help: string, type: 'counter' | 'gauge'): Map<string, number> {
    const known = this.#families.get(name) ?? { help, type, values: new Map<string, number>() };
    this.#families.set(name, known);
    return known.values;
  }
}

interface Histogram {
  readonly help: string;
  readonly buckets: readonly number[];
  /** Of values in each bucket, not below it as in the text format. */
  readonly counts: number[];
  count: number;
  sum: number;
}

function formatHistogram([name, { help, buckets, counts, count, sum }]: readonly [
  string,
  Histogram,
]): string {
  let below = 0;
  const lines = buckets.map((bound, i) => {
    below += counts[i] ?? 0;
    return `${name}_bucket{le="${bound}"} ${below}\n`;
  });
  const total = `${name}_bucket{le="+Inf"} ${count}\n${name}_sum ${sum}\n${name}_count ${count}\n`;
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${lines.join('')}${total}`;
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
