import { errorMessage, type Logger } from '#runtime';
import type { ProxyBackend } from './backend.ts';
import type { FrontendKey } from './table/entry.ts';

/**
 * The mechanisms that may have carried Services before: what is left of them goes once another one serves. A kernel without
 * one may well have the other, and one that cannot be removed must not keep the one that serves from following changes; so
 * their failures are logged, and tried again.
 */
export class Predecessors {
  readonly #logger: Logger;
  /** Those that are not wholly gone. */
  #left: readonly ProxyBackend[];

  constructor(mechanisms: readonly ProxyBackend[], logger: Logger) {
    this.#left = mechanisms;
    this.#logger = logger;
  }

  /** What they have answered until now. */
  async frontends(): Promise<ReadonlySet<FrontendKey>> {
    const found = new Set<FrontendKey>();
    for (const mechanism of this.#left)
      try {
        for (const key of (await mechanism.observe()).frontends) found.add(key);
      } catch (error) {
        this.#warn('what another mechanism left cannot be read', mechanism, error);
      }
    return found;
  }

  /** Removes what can be removed now. */
  async retire(successor: ProxyBackend): Promise<void> {
    const left: ProxyBackend[] = [];
    for (const mechanism of this.#left)
      try {
        if (!(await mechanism.retire(successor))) left.push(mechanism);
      } catch (error) {
        this.#warn('what another mechanism left cannot be removed', mechanism, error);
        left.push(mechanism);
      }
    this.#left = left;
  }

  #warn(message: string, { name }: ProxyBackend, error: unknown): void {
    this.#logger.warn(message, { mechanism: name, error: errorMessage(error) });
  }
}
