import type { ChaosRequest } from './chaos-client.ts';

interface Period {
  /** From when on these could answer: the change was sent. */
  readonly from: number;
  /** Until when: the next change was acknowledged, and the grace is over. */
  until: number;
  readonly pods: ReadonlySet<string>;
}

/** How a socket says that nobody answered; EPERM: a node's own datagram was refused before it left. */
const NOBODY: ReadonlySet<string> = new Set(['refused', 'silence', 'EHOSTUNREACH', 'EPERM']);

/** Which Pods may have answered for a Service, and when. Times are milliseconds since the epoch. */
export class EndpointHistory {
  readonly #periods: Period[] = [];

  /** @returns to be told when the change was acknowledged, grace included: what was before may answer until then */
  change(pods: Iterable<string>, now: number): (until: number) => void {
    const earlier = this.#periods.filter(({ until }) => until === Number.POSITIVE_INFINITY);
    this.#periods.push({ from: now, until: Number.POSITIVE_INFINITY, pods: new Set(pods) });
    return (until) => {
      for (const period of earlier) period.until = Math.min(period.until, until);
    };
  }

  /** What is wrong with the request's outcome, if anything. */
  problem({ protocol, begun, ended, outcome }: ChaosRequest): string | undefined {
    const during = this.#periods.filter(({ from, until }) => from <= ended && begun <= until);
    const none = NOBODY.has(outcome);
    const explains = ({ pods }: Period) => (none ? pods.size === 0 : pods.has(outcome));
    if (during.some(explains)) return undefined;
    // The answer to a datagram is lost when its flow is ended between question and answer.
    if (outcome === 'silence' && protocol === 'udp' && during.length > 1) return undefined;
    const last = this.#periods.filter((period) => period.from <= ended && explains(period)).at(-1);
    return last === undefined ? outcome : `${outcome}, ${begun - last.until} ms too late`;
  }
}
