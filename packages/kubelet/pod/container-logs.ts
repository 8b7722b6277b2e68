import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ContainerLog, rotatedPath } from '../runtime/container-log.ts';

/** The logs of a container: that of its present run, and of the one before. */
export class ContainerLogs {
  readonly #dir: string;
  readonly #now: () => number;
  #logs: ContainerLog[] = [];

  constructor(dir: string, now: () => number) {
    this.#dir = dir;
    this.#now = now;
  }

  /** The log of the present run, or of the one before it. */
  get(previous: boolean): ContainerLog | undefined {
    return this.#logs.at(previous ? -2 : -1);
  }

  /** Begins that of a new run, and forgets those that nobody can ask for any more. */
  begin(attempt: number): ContainerLog {
    const log = new ContainerLog(join(this.#dir, `${attempt}.log`), this.#now);
    this.#logs.push(log);
    for (const old of this.#logs.slice(0, -2)) removeFiles(old);
    this.#logs = this.#logs.slice(-2);
    return log;
  }

  remove(): void {
    for (const log of this.#logs) removeFiles(log);
  }
}

function removeFiles(log: ContainerLog): void {
  for (const path of [log.path, rotatedPath(log.path)]) rmSync(path, { force: true });
}
