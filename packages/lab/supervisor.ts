import { rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { errorMessage, streamLogger, systemClock } from '#runtime';
import { type CredentialsMessage, receiveMessages, sendMessage } from './boot-channel.ts';
import { BootTimeline } from './boot-timeline.ts';
import { LabError } from './errors.ts';
import { CHANNEL_FD } from './holder.ts';
import { labPaths } from './paths.ts';
import { writeRecord } from './records.ts';
import { RunningLab } from './running-lab.ts';
import { parseSupervisorOptions } from './supervisor-options.ts';

/**
 * `podway lab-supervisor`: runs one lab, inside the namespaces that `up` made for it. Before the lab is ready the end
 * of the `up` command is the end of the lab; after, SIGTERM is. @returns the exit status
 */
export async function runLabSupervisor(
  args: readonly string[],
  program: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { directory, startedAt, isNew } = parseSupervisorOptions(args);
  const paths = labPaths(dirname(directory), basename(directory));
  const logger = streamLogger();
  const channel = new Socket({ fd: CHANNEL_FD });
  const timeline = new BootTimeline(startedAt, systemClock, (mark) =>
    sendMessage(channel, { kind: 'mark', mark }),
  );
  const stopped = Promise.withResolvers<string>();
  const leash = Promise.withResolvers<never>();
  const credentials = Promise.withResolvers<void>();
  receiveMessages<CredentialsMessage>(
    channel,
    () => credentials.resolve(),
    () => leash.reject(new LabError('the command that was starting the lab ended')),
  );
  // Once ready nobody waits for the leash any more.
  leash.promise.catch(() => {});
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopped.resolve(signal));

  const lab = new RunningLab({ paths, program, environment, timeline, logger });
  try {
    const interrupted = stopped.promise.then((signal) => Promise.reject(new LabError(`ended by ${signal}`)));
    const boot = await Promise.race([
      lab.boot(credentials.promise, isNew),
      lab.hopeless,
      leash.promise,
      interrupted,
    ]);
    writeRecord(paths.boot, boot);
    sendMessage(channel, { kind: 'ready', boot });
    channel.end();
    logger.info('the lab is ready', { milliseconds: boot.bootMilliseconds });
  } catch (error) {
    logger.error('the lab did not come up', { error: errorMessage(error), cause: causeOf(error) });
    lab.kill();
    await lab.endPods();
    if (isNew) rmSync(paths.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    await failed(channel, describe(error));
    return 1;
  }
  const signal = await stopped.promise;
  logger.info('the lab ends', { signal });
  await lab[Symbol.asyncDispose]();
  return 0;
}

/** The error and what lay under it, for a person. */
function describe(error: unknown): string {
  const cause = causeOf(error);
  return cause === undefined ? errorMessage(error) : `${errorMessage(error)}: ${cause}`;
}

function causeOf(error: unknown): string | undefined {
  return error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : undefined;
}

/** Tells `up`, if it is still there. */
function failed(channel: Socket, message: string): Promise<void> {
  if (channel.destroyed) return Promise.resolve();
  sendMessage(channel, { kind: 'failed', message });
  return new Promise((resolve) => {
    channel.once('close', () => resolve());
    channel.end();
  });
}
