import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { errorMessage } from '#runtime';
import type { BootMark, BootResult } from './records.ts';

/** What a booting lab tells the `up` command that waits for it. The end of the channel without `ready` is the lab's end. */
export type BootMessage =
  | { readonly kind: 'mark'; readonly mark: BootMark }
  | { readonly kind: 'ready'; readonly boot: BootResult }
  | { readonly kind: 'failed'; readonly message: string };

/** `up` to the lab: its keys and certificates are written. */
export interface CredentialsMessage {
  readonly kind: 'credentials';
}

/** JSON lines over the socket that is both the boot's report and, until `ready`, the lab's leash. */
export function sendMessage(socket: Socket, message: BootMessage | CredentialsMessage): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls `onMessage` for each, `onEnd` once when the other side is gone, however it went. */
export function receiveMessages<T extends BootMessage | CredentialsMessage>(
  socket: Socket,
  onMessage: (message: T) => void,
  onEnd: () => void,
): void {
  createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
    try {
      onMessage(JSON.parse(line) as T);
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(errorMessage(error)));
    }
  });
  // A cut connection ends like a closed one.
  socket.on('error', () => {});
  socket.on('close', onEnd);
}
