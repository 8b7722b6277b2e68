import type { Status } from '#kube-api';
import type { TerminalSize } from '../runtime/pty.ts';

/** Which streams a client of exec or attach wants. */
export interface StreamRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The streams between a client and a process, whatever protocol carries them. */
export interface Channels {
  /** `listener` gets the client's input, and undefined at its end. */
  onStdin(listener: (data: Uint8Array | undefined) => void): void;
  onResize(listener: (size: TerminalSize) => void): void;
  /** The client is gone. */
  onClose(listener: () => void): void;
  /** A promise when the client is slow: it resolves when more may be written, or the client is gone. */
  write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> | undefined;
  /** Reports how it ended, and closes. */
  finish(status: Status): void;
}

export const SUCCESS: Status = { metadata: {}, status: 'Success' };

/** A status for the exit code of a command, as kubectl reads it from the error stream (remotecommand v4). */
export function exitStatus(exitCode: number): Status {
  if (exitCode === 0) return SUCCESS;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

export function failureStatus(message: string): Status {
  return { metadata: {}, status: 'Failure', message, reason: 'InternalError', code: 500 };
}

/** The client's resize messages: `{"Width":80,"Height":24}`, one after the other. */
export class ResizeParser {
  #text = '';
  push(data: Uint8Array): readonly TerminalSize[] {
    this.#text += Buffer.from(data).toString();
    const sizes: TerminalSize[] = [];
    for (let end = this.#text.indexOf('}'); end >= 0; end = this.#text.indexOf('}')) {
      const size = parseSize(this.#text.slice(0, end + 1));
      this.#text = this.#text.slice(end + 1);
      if (size !== undefined) sizes.push(size);
    }
    return sizes;
  }
}

function parseSize(text: string): TerminalSize | undefined {
  try {
    const { Width, Height } = JSON.parse(text) as { Width?: unknown; Height?: unknown };
    if (typeof Width !== 'number' || typeof Height !== 'number') return undefined;
    return { columns: Width & 0xffff, rows: Height & 0xffff };
  } catch {
    return undefined;
  }
}
