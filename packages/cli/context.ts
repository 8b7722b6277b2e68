import type { Terminal } from './terminal.ts';

/** What every command is given. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly environment: NodeJS.ProcessEnv;
  /** The command that this program is run by, for processes of its own. */
  readonly program: readonly string[];
  /** When the user's command began, milliseconds since the epoch. */
  readonly startedAt: number;
  /** Aborted by Ctrl-C, SIGTERM and a closed terminal, from the first time it is asked for. */
  readonly interruption: () => AbortSignal;
}
