import type { Logger } from '#runtime';
import { LabError } from './errors.ts';
import { lastWords } from './last-words.ts';
import { type LabPaths, logPath } from './paths.ts';
import {
  type ProcessStatus,
  SupervisedProcess,
  type SupervisedProcessOptions,
} from './supervised-process.ts';

/** A process that has ended so often before the lab is ready will not help to make it so. */
const ENDS_TOO_OFTEN = 3;

/** The processes of a lab's own programs, each with a log of its own. Whoever starts one ends it. */
export class LabProcesses {
  readonly #paths: LabPaths;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #logger: Logger;
  readonly #started: SupervisedProcess[] = [];
  readonly #hopeless = Promise.withResolvers<never>();

  constructor(paths: LabPaths, environment: NodeJS.ProcessEnv, logger: Logger) {
    this.#paths = paths;
    this.#environment = environment;
    this.#logger = logger;
    // Once the lab is ready nobody waits for this any more.
    this.hopeless.catch(() => {});
  }

  /** Rejects when a process ends again and again, with its last words. */
  get hopeless(): Promise<never> {
    return this.#hopeless.promise;
  }

  start(
    name: string,
    command: readonly string[],
    how: Pick<SupervisedProcessOptions, 'descriptors' | 'within'>,
  ): SupervisedProcess {
    const log = logPath(this.#paths, name);
    let ends = 0;
    const started = new SupervisedProcess({
      name,
      command,
      environment: this.#environment,
      log,
      logger: this.#logger,
      onEnd: (reason) => {
        if (++ends === ENDS_TOO_OFTEN)
          this.#hopeless.reject(new LabError(`${name} ends again and again (${reason}): ${lastWords(log)}`));
      },
      ...how,
    });
    this.#started.push(started);
    return started;
  }

  status(): readonly ProcessStatus[] {
    return this.#started.map((each) => each.status());
  }

  /** Ends all at once, and for good. */
  kill(): void {
    for (const each of this.#started) each.kill();
  }
}
