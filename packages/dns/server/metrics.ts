import { rcodeName, typeName } from '../wire/index.ts';

/** A metric in Prometheus's sense, ready to print. Names are CoreDNS's where they mean the same, so that its dashboards work. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  /** `_bucket`, `_sum`, `_count` of a histogram; '' otherwise. */
  readonly suffix: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Labels = Readonly<Record<string, string>>;

/** A histogram of fixed upper bounds, cheap to add to. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let i = 0;
    while (i < this.#bounds.length && value > (this.#bounds[i] ?? 0)) i++;
    this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    this.#sum += value;
  }

  samples(labels: Labels): readonly MetricSample[] {
    let below = 0;
    const buckets = this.#counts.map((count, i): MetricSample => {
      below += count;
      return { suffix: '_bucket', labels: { ...labels, le: `${this.#bounds[i] ?? '+Inf'}` }, value: below };
    });
    return [
      ...buckets,
      { suffix: '_sum', labels, value: this.#sum },
      { suffix: '_count', labels, value: below },
    ];
  }
}

// CoreDNS's own bounds, so that quantiles can be compared.
const SIZE_BOUNDS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000];
export const SECONDS_BOUNDS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);
/** Other types are counted together, as a client could else make as many series as there are types. */
const COUNTED_TYPES = new Set([
  'A',
  'AAAA',
  'SRV',
  'PTR',
  'TXT',
  'CNAME',
  'SOA',
  'NS',
  'MX',
  'HINFO',
  'ANY',
  'AXFR',
]);
/** Type codes from here on are counted as one; all counted ones are below. */
const OTHER_TYPES = 256;
const LAST_RCODE = 16;
const TRANSPORTS = ['udp', 'tcp'] as const;
const FAMILIES = [1, 2] as const;

/** As CoreDNS numbers the families of addresses (IANA's "Address Family Numbers"). */
export type FamilyNumber = 1 | 2;

/** What is counted for each transport; a count is an array element, for it is on the path of every packet. */
class TransportCounters {
  readonly requests = { 1: new Float64Array(OTHER_TYPES + 1), 2: new Float64Array(OTHER_TYPES + 1) };
  readonly requestSize = new Histogram(SIZE_BOUNDS);
  readonly responseSize = new Histogram(SIZE_BOUNDS);
}

/** What the server counts of every query. */
export class ServerCounters {
  readonly #transports = { udp: new TransportCounters(), tcp: new TransportCounters() };
  readonly #responses = Array<number>(LAST_RCODE + 1).fill(0);
  readonly #duration = new Histogram(SECONDS_BOUNDS);
  /** Queries dropped since their client asked too many. */
  limited = 0;
  dnssecOk = 0;
  truncated = 0;
  /** Answers from outside that were given again: the cache's hits, without asking the cache. */
  readonly outsideAgain = { success: 0, denial: 0 };
  /** Questions refused because too many were waiting for an answer from elsewhere. */
  rejected = 0;

  request(transport: 'udp' | 'tcp', family: FamilyNumber, typeCode: number, octets: number): void {
    const { requests, requestSize } = this.#transports[transport];
    const types = requests[family];
    const slot = Math.min(typeCode, OTHER_TYPES);
    types[slot] = (types[slot] ?? 0) + 1;
    requestSize.observe(octets);
  }

  /** `seconds`: 0 for what was answered at once, which takes microseconds. */
  response(transport: 'udp' | 'tcp', rcode: number, octets: number, seconds: number): void {
    const slot = Math.min(rcode, LAST_RCODE);
    this.#responses[slot] = (this.#responses[slot] ?? 0) + 1;
    this.#transports[transport].responseSize.observe(octets);
    this.#duration.observe(seconds);
  }

  collect(server: string): readonly MetricFamily[] {
    const base = { server, zone: '.' };
    const requests = new Map<string, MetricSample>();
    for (const proto of TRANSPORTS)
      for (const family of FAMILIES)
        for (const [code, count] of this.#transports[proto].requests[family].entries()) {
          if (count === 0) continue;
          const name = typeName(code);
          const type = COUNTED_TYPES.has(name) ? name : 'other';
          const key = `${proto} ${family} ${type}`;
          const value = count + (requests.get(key)?.value ?? 0);
          requests.set(key, sample(value, { ...base, proto, family: `${family}`, type }));
        }
    const perTransport = (of: (counters: TransportCounters) => Histogram) =>
      TRANSPORTS.flatMap((proto) => of(this.#transports[proto]).samples({ ...base, proto }));
    return [
      counterFamily('coredns_dns_requests_total', 'Queries, by transport, family and type.', [
        ...requests.values(),
      ]),
      counterFamily(
        'coredns_dns_responses_total',
        'Replies, by RCODE.',
        this.#responses.flatMap((value, rcode) =>
          value === 0 ? [] : [sample(value, { ...base, rcode: rcodeName(rcode) })],
        ),
      ),
      counterFamily('coredns_dns_do_requests_total', 'Queries with the DO bit.', [
        sample(this.dnssecOk, base),
      ]),
      counterFamily('podway_dns_limited_total', 'Queries dropped since their client asked too many.', [
        sample(this.limited),
      ]),
      counterFamily('podway_dns_rejected_total', 'Questions outside refused since too many were waiting.', [
        sample(this.rejected),
      ]),
      counterFamily('podway_dns_truncated_total', 'Replies cut to what UDP takes.', [sample(this.truncated)]),
      {
        name: 'coredns_dns_request_size_bytes',
        help: 'Octets of queries.',
        type: 'histogram',
        samples: perTransport(({ requestSize }) => requestSize),
      },
      {
        name: 'coredns_dns_response_size_bytes',
        help: 'Octets of replies.',
        type: 'histogram',
        samples: perTransport(({ responseSize }) => responseSize),
      },
      {
        name: 'coredns_dns_request_duration_seconds',
        help: 'Time to reply. What is answered from memory counts as 0.',
        type: 'histogram',
        samples: this.#duration.samples(base),
      },
    ];
  }
}

export function sample(value: number, labels: Labels = {}): MetricSample {
  return { suffix: '', labels, value };
}

export function counterFamily(name: string, help: string, samples: readonly MetricSample[]): MetricFamily {
  return { name, help, type: 'counter', samples };
}

export function gaugeFamily(name: string, help: string, samples: readonly MetricSample[]): MetricFamily {
  return { name, help, type: 'gauge', samples };
}

/** Prometheus's text format 0.0.4. */
export function formatMetrics(families: readonly MetricFamily[]): string {
  return families
    .map(({ name, help, type, samples }) => {
      const lines = samples.map(
        ({ suffix, labels, value }) => `${name}${suffix}${formatLabels(labels)} ${value}\n`,
      );
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
    })
    .join('');
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
