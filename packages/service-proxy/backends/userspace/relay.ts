import type { Frontend } from '../../table/entry.ts';

/** What answers on one frontend's address and port. */
export interface Relay {
  /** The listening socket. */
  readonly fd: number;
  /** The decisions have changed; flows without an end of their own must not stay with endpoints that serve no more. */
  update(frontend: Frontend): void;
  /** Answers nobody new; connections go on. */
  close(): void;
}
