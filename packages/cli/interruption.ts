import { PodwayError } from '#runtime';
import { EXIT } from './exit-codes.ts';

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

/**
 * From the first call on, the signals that would end this process abort the returned signal instead; a second one ends it.
 * A reader of its output that is gone (`podway … | head`) counts as one, and ends who never called, without a word.
 */
export function createInterruption(): () => AbortSignal {
  let controller: AbortController | undefined;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    const isLeft = error.code === 'EPIPE';
    if (controller !== undefined) return controller.abort(isLeft ? new InterruptedError('SIGPIPE') : error);
    if (!isLeft) process.stderr.write(`podway: the output cannot be written: ${error.message}\n`);
    process.exit(isLeft ? EXIT.interrupted : EXIT.failed);
  });
  return () => {
    if (controller === undefined) {
      const abort = new AbortController();
      controller = abort;
      for (const signal of SIGNALS) process.once(signal, () => abort.abort(new InterruptedError(signal)));
    }
    return controller.signal;
  };
}
