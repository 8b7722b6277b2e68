import type { Socket } from 'node:net';
import { errorMessage } from '#runtime';
import type { RunningContainer } from '../pod/container-context.ts';
import type { ContainerProcess } from '../runtime/container-process.ts';
import { type Channels, exitStatus, failureStatus, type StreamRequest, SUCCESS } from './channels.ts';

/** Runs a command in a container for a client. */
export async function serveExec(
  container: RunningContainer,
  argv: readonly string[],
  request: StreamRequest,
  channels: Channels,
): Promise<void> {
  try {
    const process = container.exec({
      argv,
      tty: request.tty,
      stdin: request.stdin,
      onOutput: (stream, chunk) => channels.write(stream, chunk),
    });
    connectInput(process, channels, () => process.stdin?.end());
    // A terminal that is closed hangs up; without one the command goes on, as in a real cluster.
    if (request.tty) channels.onClose(() => process.kill('SIGHUP'));
    const { exitCode } = await process.exited;
    channels.finish(exitStatus(exitCode));
  } catch (error) {
    const message = `error executing command in container: ${errorMessage(error)}`;
    channels.finish(failureStatus(`Internal error occurred: ${message}`));
  }
}

/** How far an attached client may fall behind. Bytes. */
const MAX_UNREAD = 4 * 1024 * 1024;

/** Joins a client to a container's own process. */
export async function serveAttach(
  container: RunningContainer,
  stdinOnce: boolean,
  request: StreamRequest,
  channels: Channels,
): Promise<void> {
  const { process } = container;
  // A client that reads slowly must not hold up the container, nor be waited for with all that it says meanwhile.
  const behind = Promise.withResolvers<string>();
  let unread = 0;
  using _output = container.onOutput((stream, chunk) => {
    if (!request[stream]) return;
    const slow = channels.write(stream, chunk);
    if (slow === undefined) return;
    unread += chunk.length;
    void slow.then(() => {
      unread = 0;
    });
    if (unread > MAX_UNREAD) behind.resolve('the client does not read what the container writes');
  });
  const gone = new Promise<void>((resolve) => channels.onClose(resolve));
  if (request.stdin)
    connectInput(process, channels, () => stdinOnce && !container.tty && process.stdin?.end());
  const ended = Promise.race([process.exited.catch(() => {}), gone]).then(() => undefined);
  const failure = await Promise.race([ended, behind.promise]);
  channels.finish(failure === undefined ? SUCCESS : failureStatus(failure));
}

function connectInput(process: ContainerProcess, channels: Channels, onEnd: () => void): void {
  channels.onStdin((data) => {
    const input = process.stdin as Socket | undefined;
    if (data === undefined) onEnd();
    else if (input?.writable === true) input.write(data);
  });
  channels.onResize((size) => process.resize(size));
}
