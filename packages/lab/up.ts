import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { errorMessage, InvalidInputError } from '#runtime';
import { type BootMessage, receiveMessages, sendMessage } from './boot-channel.ts';
import { prepareCredentials } from './credentials.ts';
import { LabError } from './errors.ts';
import { CHANNEL_FD, startHolder } from './holder.ts';
import { listenOnLoopback } from './inheritable-listener.ts';
import { removeLabCgroups } from './lab-cgroups.ts';
import { takeLabLock } from './lab-lock.ts';
import { DEFAULT_LAB_OPTIONS, type LabOptions } from './options.ts';
import { type LabPaths, labPaths, logPath } from './paths.ts';
import { identifyProcess, signalProcess } from './process-identity.ts';
import { type BootMark, type BootResult, type LabRecord, readRecord, writeRecord } from './records.ts';
import { formatSupervisorOptions } from './supervisor-options.ts';

export interface UpRequest {
  readonly labs: string;
  readonly name: string;
  /** What the user asked for; the rest is as stored, or as {@link DEFAULT_LAB_OPTIONS}. */
  readonly options: Partial<LabOptions>;
  /** The command that this program is run by, to which a subcommand is added: for the lab's own processes. */
  readonly program: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** When the user's command began, milliseconds since the epoch. */
  readonly startedAt: number;
  readonly onMark?: (mark: BootMark) => void;
  /** Ends the boot, and with it all that it made. */
  readonly signal: AbortSignal;
}

export interface UpResult extends BootResult {
  readonly name: string;
  readonly kubeconfig: string;
  /** Whether the lab was there before, with its stored objects. */
  readonly restarted: boolean;
}

/**
 * Boots a lab and returns when all its nodes are Ready, and DNS answers or has had its time. Whatever ends this before,
 * the end of the calling process included, ends the lab too, and removes it if it was new.
 * @throws LabError when it is up already or does not come up
 */
export async function labUp(request: UpRequest): Promise<UpResult> {
  request.signal.throwIfAborted();
  const { name } = request;
  const paths = labPaths(request.labs, name);
  if (paths.directory.startsWith('/run/'))
    throw new LabError(
      `${paths.directory}: a lab has a /run of its own; set XDG_STATE_HOME to another place`,
    );
  makeDirectory(paths);
  using lock = takeLabLock(paths.lock, 0);
  if (lock === undefined)
    throw new LabError(
      `lab ${name} is up, or another command is at work on it; see: podway lab status --name ${name}`,
    );
  const stored = readRecord<LabRecord>(paths.lab);
  const options = agreeOn(name, stored?.options, request.options);
  await checkImages(options);
  using listener = await listenOnLoopback(stored?.port ?? 0);
  const record: LabRecord = {
    name,
    createdAt: stored?.createdAt ?? new Date().toISOString(),
    options,
    port: listener.port,
  };
  writeRecord(paths.lab, record);
  rmSync(paths.boot, { force: true });
  const supervisor = [
    ...request.program,
    'lab-supervisor',
    ...formatSupervisorOptions({
      directory: paths.directory,
      startedAt: request.startedAt,
      isNew: stored === undefined,
    }),
  ];
  const holder = startHolder(
    supervisor,
    { listener: listener.fd, lock: lock.fd, log: logPath(paths, 'supervisor') },
    request.environment,
  );
  const identity = identifyProcess(holder.pid ?? 0);
  if (identity !== undefined)
    writeRecord(paths.instance, { startedAt: new Date().toISOString(), holder: identity });
  try {
    const boot = await awaitBoot(holder, request, paths, record);
    return { name, kubeconfig: paths.kubeconfig, restarted: stored !== undefined, ...boot };
  } catch (error) {
    if (identity !== undefined) signalProcess(identity, 'SIGKILL');
    await exitOf(holder);
    removeLabCgroups(paths);
    if (stored === undefined) rmSync(paths.directory, { recursive: true, force: true, maxRetries: 5 });
    throw error;
  }
}

/** Only when there are any: what reads them is the kubelet. @throws InvalidInputError */
async function checkImages(options: LabOptions): Promise<void> {
  if (options.images.length === 0 && options.imagesFile === undefined) return;
  const { imagesOf } = await import('./images.ts');
  imagesOf(options);
}

/** @throws LabError that says what else there is */
function makeDirectory(paths: LabPaths): void {
  try {
    mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new LabError(
      `the lab's directory cannot be made: ${errorMessage(error)}; XDG_STATE_HOME can name another place`,
    );
  }
}

/** A stored lab keeps its shape. @throws InvalidInputError when another is asked for */
function agreeOn(name: string, stored: LabOptions | undefined, asked: Partial<LabOptions>): LabOptions {
  if (stored === undefined) return { ...DEFAULT_LAB_OPTIONS, ...asked };
  for (const field of ['nodes', 'podNetwork', 'proxy', 'ipFamily'] as const) {
    const value = asked[field];
    if (value !== undefined && value !== stored[field])
      throw new InvalidInputError(
        field,
        value,
        `lab ${name} exists with ${stored[field]}; leave the flag out to start it again, or remove it with: podway lab down --name ${name}`,
      );
  }
  return { ...stored, ...asked };
}

async function awaitBoot(
  holder: ChildProcess,
  request: UpRequest,
  paths: LabPaths,
  record: LabRecord,
): Promise<BootResult> {
  const channel = holder.stdio[CHANNEL_FD];
  if (!(channel instanceof Socket)) throw new LabError('the lab has no boot channel');
  using end = new DisposableStack();
  end.defer(() => channel.destroy());
  const outcome = new Promise<BootResult>((resolve, reject) => {
    const onAbort = () => reject(request.signal.reason);
    request.signal.addEventListener('abort', onAbort, { once: true });
    end.defer(() => request.signal.removeEventListener('abort', onAbort));
    if (request.signal.aborted) onAbort();
    const onMessage = (message: BootMessage) => {
      switch (message.kind) {
        case 'mark':
          return request.onMark?.(message.mark);
        case 'ready':
          return resolve(message.boot);
        case 'failed':
          return reject(new LabError(message.message));
      }
    };
    receiveMessages<BootMessage>(channel, onMessage, () => reject(new LabError(deathMessage(paths))));
  });
  // The lab's processes start meanwhile.
  const credentials = prepareCredentials(paths, record).then(() =>
    sendMessage(channel, { kind: 'credentials' }),
  );
  const [boot] = await Promise.all([outcome, credentials]);
  holder.unref();
  return boot;
}

function deathMessage(paths: LabPaths): string {
  const log = logPath(paths, 'supervisor');
  let tail = '';
  try {
    tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  } catch {
    // The lab removed its directory before it ended.
  }
  // Some distributions keep user namespaces from ordinary users by AppArmor or a sysctl.
  const hint =
    process.getuid?.() !== 0 && /unshare.*(not permitted|denied)|uid_map/i.test(tail)
      ? '\nThis machine does not let ordinary users make user namespaces; allow it (on Ubuntu: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0), or run podway as root.'
      : '';
  return `the lab ended while it was starting${tail === '' ? '' : `; its last words:\n${tail}`}${hint}`;
}

function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}
