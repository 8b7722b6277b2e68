/**
 * Says when processes were kept waiting by the machine: prints a line `BEGIN END WAITED` for every few milliseconds in which one of their
 * threads was ready to run and had no processor (schedstat's second number, Documentation/scheduler/sched-stats.rst), or in which this one
 * was late itself. All threads, because the main one waits for those that collect garbage. Arguments: seconds, a pattern of command
 * lines for each process, which may come and go.
 */
export const STALL_WATCH = `
  const { readFileSync, readdirSync } = require('node:fs');
  const [seconds, ...patterns] = process.argv.slice(1);
  const end = Date.now() + Number(seconds) * 1000;
  const STEP = 20;
  const SEARCH = 200;
  const tried = (read, otherwise) => { try { return read(); } catch { return otherwise; } };
  const text = (path) => tried(() => readFileSync('/proc/' + path, 'utf8'), '');
  const list = (path) => tried(() => readdirSync('/proc/' + path), []);
  const watched = patterns.map((pattern) => ({ pattern: new RegExp(pattern), pid: '', threads: new Map() }));
  const search = (one) => {
    const isIt = (pid) => one.pattern.test(text(pid + '/cmdline').replaceAll('\\0', ' '));
    if (one.pid === '' || !isIt(one.pid)) {
      one.pid = list('').find((pid) => /^[0-9]+$/.test(pid) && isIt(pid)) ?? '';
      one.threads.clear();
    }
    for (const thread of one.pid === '' ? [] : list(one.pid + '/task'))
      if (!one.threads.has(thread)) one.threads.set(thread, undefined);
  };
  const waited = ({ pid, threads }) => {
    let sum = 0;
    for (const [thread, before] of threads) {
      const found = text(pid + '/task/' + thread + '/schedstat');
      if (found === '') threads.delete(thread);
      else {
        const now = Number(found.split(' ')[1]) / 1e6;
        threads.set(thread, now);
        sum += now - (before ?? now);
      }
    }
    return sum;
  };
  let last = performance.now();
  let searched = 0;
  const look = () => {
    const now = performance.now();
    const length = now - last;
    last = now;
    const stalled = watched.reduce((sum, one) => sum + waited(one), Math.max(0, length - STEP - 2));
    const at = Date.now();
    if (stalled > 0.1) console.log([at - length, at, Math.min(stalled, length)].map((ms) => ms.toFixed(1)).join(' '));
    if (now - searched > SEARCH) {
      searched = now;
      watched.forEach(search);
    }
    if (at < end) setTimeout(look, STEP);
  };
  look();
`;

interface Stall {
  readonly begin: number;
  readonly end: number;
  /** How much of the time between was lost, milliseconds. */
  readonly lost: number;
}

/** The time that a machine with other work to do took from what is tested; times are milliseconds since the epoch. */
export class Stalls {
  readonly #stalls: readonly Stall[];

  constructor(stalls: readonly Stall[]) {
    this.#stalls = stalls.toSorted((a, b) => a.end - b.end);
  }

  /** @param output of {@link STALL_WATCH} */
  static parse(output: string): Stalls {
    const lines = output.split('\n').filter((line) => line !== '');
    return new Stalls(
      lines.map((line) => {
        const [begin = 0, end = 0, lost = 0] = line.split(' ').map(Number);
        return { begin, end, lost };
      }),
    );
  }

  /** When `ms` have passed since `from`, of which none was lost. */
  after(from: number, ms: number): number {
    let until = from + ms;
    for (const { begin, end, lost } of this.#stalls) {
      if (end <= from) continue;
      if (begin >= until) break;
      until += lost;
    }
    return until;
  }

  get totalMs(): number {
    return this.#stalls.reduce((sum, { lost }) => sum + lost, 0);
  }
}
