import type { RelayedFrontend } from './relay-messages.ts';

/** What answers on one frontend's address and port. */
export interface FrontendRelay {
  /** The decisions have changed; flows without an end of their own must not stay with endpoints that serve no more. */
  update(frontend: RelayedFrontend): void;
  /** Answers nobody new; connections go on. */
  close(): void;
}
