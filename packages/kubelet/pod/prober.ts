import type { Probe } from '#kube-api';
import type { Clock } from '#runtime';
import type { ProbeOutcome } from './probe.ts';

export type ProbeKind = 'readiness' | 'liveness' | 'startup';

export interface ProberOptions {
  readonly probe: Probe;
  readonly clock: Clock;
  run(): Promise<ProbeOutcome>;
  /** Each failure, for the event. */
  onFailure(message: string): void;
  /** The result changed, or became known, after as many equal outcomes as the thresholds ask for. */
  onResult(ok: boolean): void;
}

/**
 * Runs one probe of one container at its period and counts outcomes against the thresholds. The first answer may take
 * up to one period to come, asked for at short intervals: a server that begins to listen a moment after its first probe
 * is neither held back for a whole period nor ended.
 */
export class Prober implements Disposable {
  readonly #options: ProberOptions;
  #timer: Disposable | undefined;
  #stopped = false;
  #result: boolean | undefined;
  #last: boolean | undefined;
  #run = 0;
  #patience: number;
  #pause = 50;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#patience = (options.probe.periodSeconds ?? 10) * 1000;
    this.#schedule((options.probe.initialDelaySeconds ?? 0) * 1000);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(ms, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    const { probe } = this.#options;
    const outcome = await this.#options.run();
    if (this.#stopped) return;
    if (!outcome.ok && this.#patience > 0) {
      const pause = Math.min(this.#patience, this.#pause);
      this.#patience -= pause;
      this.#pause *= 2;
      this.#schedule(pause);
      return;
    }
    this.#patience = 0;
    if (!outcome.ok) this.#options.onFailure(outcome.message);
    this.#run = this.#last === outcome.ok ? this.#run + 1 : 1;
    this.#last = outcome.ok;
    const threshold = outcome.ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (this.#run >= threshold && this.#result !== outcome.ok) {
      this.#result = outcome.ok;
      this.#options.onResult(outcome.ok);
    }
    this.#schedule((probe.periodSeconds ?? 10) * 1000);
  }
}
