import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { errorMessage, InvalidInputError } from '#runtime';
import { agreeOnOptions } from './agree-on-options.ts';
import { type BootMessage, receiveMessages, sendMessage } from './boot-channel.ts';
import { askControl } from './control-socket.ts';
import { prepareCredentials } from './credentials.ts';
import { LabError } from './errors.ts';
import { CHANNEL_FD, startHolder } from './holder.ts';
import { listenOnLoopback } from './inheritable-listener.ts';
import { removeLabCgroups } from './lab-cgroups.ts';
import { takeLabLock } from './lab-lock.ts';
import { nameFlag } from './lab-status.ts';
import { lastWords } from './last-words.ts';
import type { LabOptions } from './options.ts';
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
  /** What it took: a lab anew; one with its stored objects; one that ran, as it was, or with Services carried in another way. */
  readonly outcome: 'new' | 'again' | 'already' | 'switched';
  readonly options: LabOptions;
}

/**
 * Boots a lab, or has one that runs carry Services as it is asked, and returns when all its nodes are Ready, and DNS answers or has had its time. Whatever ends this before,
 * the end of the calling process included, ends the lab too, and removes it if it was new.
 * @throws LabError when it does not come up, InvalidInputError when it is there and of another shape
 */
export async function labUp(request: UpRequest): Promise<UpResult> {
  request.signal.throwIfAborted();
  const { name } = request;
  const paths = labPaths(request.labs, name);
  if (paths.directory.startsWith('/run/'))
    throw new LabError(
      `${paths.directory}: a lab has a /run of its own; set XDG_STATE_HOME to another place`,
    );
  checkFamilies(request.options);
  await checkImages(request.options);
  makeDirectory(paths);
  using lock = takeLabLock(paths.lock, 0);
  if (lock === undefined) return await useRunning(request, paths);
  const stored = readRecord<LabRecord>(paths.lab);
  const options = agreeOnOptions(name, stored?.options, request.options);
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
    return {
      name,
      kubeconfig: paths.kubeconfig,
      options,
      outcome: stored === undefined ? 'new' : 'again',
      ...boot,
    };
  } catch (error) {
    if (identity !== undefined) signalProcess(identity, 'SIGKILL');
    await exitOf(holder);
    removeLabCgroups(paths);
    if (stored === undefined) rmSync(paths.directory, { recursive: true, force: true, maxRetries: 5 });
    // What it could not be started with is not what it is started with next.
    else writeRecord(paths.lab, stored);
    throw error;
  }
}

/** @throws InvalidInputError */
function checkFamilies({ ipFamily }: Partial<LabOptions>): void {
  if (ipFamily !== undefined && ipFamily !== 'ipv4' && !existsSync('/proc/sys/net/ipv6'))
    throw new InvalidInputError(
      '--ip-family',
      ipFamily,
      'this kernel has no IPv6 (CONFIG_IPV6, or ipv6.disable=1 when it booted)',
    );
}

/** Only when there are any: what reads them is the kubelet. @throws InvalidInputError */
async function checkImages({ images = [], imagesFile }: Partial<LabOptions>): Promise<void> {
  if (images.length === 0 && imagesFile === undefined) return;
  const { imagesOf } = await import('./images.ts');
  imagesOf({ images, imagesFile });
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

/** A lab whose processes hold its lock. */
async function useRunning({ name, options, signal }: UpRequest, paths: LabPaths): Promise<UpResult> {
  const record = readRecord<LabRecord>(paths.lab);
  const boot = readRecord<BootResult>(paths.boot);
  if (record === undefined || boot === undefined)
    throw new LabError(`another command is at work on lab ${name}; see: podway lab status${nameFlag(name)}`);
  if (options.images !== undefined || options.imagesFile !== undefined)
    throw new InvalidInputError(
      '--image',
      options.imagesFile ?? options.images?.join(' '),
      `lab ${name} runs; images are read when it starts`,
    );
  const agreed = agreeOnOptions(name, record.options, options);
  const isSwitch = agreed.proxy !== record.options.proxy;
  if (isSwitch) {
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
    // Whoever does not wait for its end does not stop it.
    await Promise.race([askControl(paths.control, { kind: 'proxy', proxy: agreed.proxy }), aborted.promise]);
  }
  const outcome = isSwitch ? 'switched' : 'already';
  return { name, kubeconfig: paths.kubeconfig, options: agreed, outcome, ...boot };
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
  // Nothing when the lab removed its directory before it ended.
  const tail = lastWords(log, 15);
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
