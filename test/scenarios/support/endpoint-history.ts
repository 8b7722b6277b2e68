import type { ChaosRequest } from './chaos-client.ts';

interface Period {
  /** From when on these could answer: the change was sent. */
  readonly from: number;
  /** When the API server acknowledged the next change. */
  replaced: number;
  readonly pods: ReadonlySet<string>;
}

/** How a socket says that nobody answered; EPERM: a node's own datagram was refused before it left. */
const NOBODY: ReadonlySet<string> = new Set(['refused', 'silence', 'EHOSTUNREACH', 'EPERM']);

/** Which Pods may have answered for a Service, and when. Times are milliseconds since the epoch. */
export class EndpointHistory {
  readonly #periods: Period[] = [];

  /** @returns to be told when the change was acknowledged */
  change(pods: Iterable<string>, now: number): (acknowledged: number) => void {
    const earlier = this.#periods.filter(({ replaced }) => replaced === Number.POSITIVE_INFINITY);
    this.#periods.push({ from: now, replaced: Number.POSITIVE_INFINITY, pods: new Set(pods) });
    return (acknowledged) => {
      for (const period of earlier) period.replaced = Math.min(period.replaced, acknowledged);
    };
  }

  /**
   * What is wrong with the request's outcome, if anything.
   * @param due by when a change must be in force that was acknowledged then
   */
  problem(request: ChaosRequest, due: (acknowledged: number) => number): string | undefined {
    const { protocol, begun, ended, outcome } = request;
    const during = this.#periods.filter(({ from, replaced }) => from <= ended && begun <= due(replaced));
    const none = NOBODY.has(outcome);
    const explains = ({ pods }: Period) => (none ? pods.size === 0 : pods.has(outcome));
    if (during.some(explains)) return undefined;
    // The answer to a datagram is lost when its flow is ended between question and answer.
    if (outcome === 'silence' && protocol === 'udp' && during.length > 1) return undefined;
    const last = this.#periods.filter((period) => period.from <= ended && explains(period)).at(-1);
    return last === undefined ? outcome : `${outcome}, ${Math.ceil(begun - due(last.replaced))} ms too late`;
  }

  /** The changes of a time and the one before, as text; times count from `origin`. */
  print(from: number, to: number, origin: number, due: (acknowledged: number) => number): readonly string[] {
    const near = this.#periods.filter((period) => period.from <= to && due(period.replaced) >= from);
    const at = (time: number) => `${Math.round(time - origin)} ms`;
    return near.map(
      (period) =>
        `[${[...period.pods].join()}] from ${at(period.from)}, replaced ${at(period.replaced)}, not after ${at(due(period.replaced))}`,
    );
  }
}
