import { PodwayError } from '#runtime';

/** The user, or the system, wants the command to end. */
export class InterruptedError extends PodwayError {
  readonly code = 'Interrupted';
  readonly signal: NodeJS.Signals;
  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** From the first call on, the signals that would end this process abort the returned signal instead; a second one ends it. */
export function createInterruption(): () => AbortSignal {
  let controller: AbortController | undefined;
  return () => {
    if (controller === undefined) {
      const abort = new AbortController();
      controller = abort;
      for (const signal of SIGNALS) process.once(signal, () => abort.abort(new InterruptedError(signal)));
    }
    return controller.signal;
  };
}
