/**
 * Says when processes were kept waiting by the machine: prints a line `BEGIN END WAITED` for every few milliseconds in which one of them was
 * ready to run and had no processor (schedstat's second number, Documentation/scheduler/sched-stats.rst), or in which this one was late
 * itself. Arguments: seconds, a pattern of command lines for each process, which may come and go.
 */
export const STALL_WATCH = `
  const { readFileSync, readdirSync } = require('node:fs');
  const [seconds, ...patterns] = process.argv.slice(1);
  const end = Date.now() + Number(seconds) * 1000;
  const STEP = 10;
  const read = (pid, file) => { try { return readFileSync('/proc/' + pid + '/' + file, 'utf8'); } catch { return ''; } };
  const watched = patterns.map((pattern) => ({ pattern: new RegExp(pattern), pid: '', waited: 0, searched: 0 }));
  const waited = (one) => {
    const now = Number(read(one.pid, 'schedstat').split(' ')[1] ?? NaN) / 1e6;
    if (!Number.isNaN(now)) {
      const more = now - one.waited;
      one.waited = now;
      return more;
    }
    if (Date.now() - one.searched < 100) return 0;
    one.searched = Date.now();
    one.pid = readdirSync('/proc').find((pid) => one.pattern.test(read(pid, 'cmdline').replaceAll('\\0', ' '))) ?? '';
    one.waited = Number(read(one.pid, 'schedstat').split(' ')[1] ?? 0) / 1e6;
    return 0;
  };
  watched.forEach(waited);
  let last = performance.now();
  const look = () => {
    const now = performance.now();
    const length = now - last;
    last = now;
    const stalled = watched.reduce((sum, one) => sum + waited(one), Math.max(0, length - STEP - 1));
    const at = Date.now();
    if (stalled > 0.1) console.log([at - length, at, Math.min(stalled, length)].map((ms) => ms.toFixed(1)).join(' '));
    if (at < end) setTimeout(look, STEP);
  };
  setTimeout(look, STEP);
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
