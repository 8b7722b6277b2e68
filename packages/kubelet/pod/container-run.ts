import type { Cgroup } from '#cgroup';
import { type Container, type ContainerStateTerminated, formatTime } from '#kube-api';
import type { Clock } from '#runtime';
import type { ResolvedImage } from '../images/resolve.ts';
import type { ContainerPlan } from '../plan/container-plan.ts';
import { type ExecSpec, execInContainer, runInContainer } from '../runtime/container-exec.ts';
import type { ContainerLog } from '../runtime/container-log.ts';
import { type ContainerProcess, startContainer } from '../runtime/container-process.ts';
import type { ExitResult } from '../runtime/process-end.ts';
import type { RootLayout } from '../runtime/root-layout.ts';
import type { OutputListener } from '../runtime/stdio.ts';
import { buildRoot } from './build-root.ts';
import type { ContainerStartContext } from './container-context.ts';
import type { ContainerProbes } from './container-probes.ts';
import { FORCED } from './grace-period.ts';
import { runHook } from './lifecycle-hook.ts';
import type { ProbeTarget } from './probe.ts';
import { terminationMessage } from './termination-message.ts';

/** What a container has between SIGTERM and SIGKILL when its preStop hook took all the time there was. */
const MIN_GRACE_MS = 2_000;

export interface ContainerRunOptions {
  readonly container: Container;
  /** `podway://` and 64 hexadecimal digits: of this run alone. */
  readonly containerId: string;
  readonly context: ContainerStartContext;
  readonly plan: ContainerPlan;
  readonly image: ResolvedImage;
  readonly layout: RootLayout;
  /** The run's own directory on the lab's tmpfs. */
  readonly dir: string;
  readonly log: ContainerLog;
  /** Where its processes' limits are; undefined where none are enforced. */
  readonly cgroup: Cgroup | undefined;
  readonly clock: Clock;
  readonly onOutput: OutputListener;
}

/** One run of a container, from its start to its end. */
export class ContainerRun {
  readonly process: ContainerProcess;
  readonly startedAt: string;
  /** Once they are asked. */
  probes: ContainerProbes | undefined;
  readonly #options: ContainerRunOptions;

  private constructor(options: ContainerRunOptions, process: ContainerProcess, startedAt: string) {
    this.#options = options;
    this.process = process;
    this.startedAt = startedAt;
  }

  /** @throws ContainerStartError, PodConfigError; nothing is left running then */
  static async start(options: ContainerRunOptions): Promise<ContainerRun> {
    const { context, plan, log, dir, cgroup } = options;
    const startedAt = formatTime(options.clock.now());
    try {
      const root = buildRoot(dir, options.layout, options.image, plan, context);
      const process = await startContainer({
        root,
        dir,
        netns: context.netns,
        cgroup,
        argv: plan.argv,
        env: plan.env,
        workingDir: plan.workingDir,
        hostname: context.hostname,
        user: plan.user,
        tty: plan.tty,
        stdin: plan.stdin,
        onOutput: options.onOutput,
      });
      return new ContainerRun(options, process, startedAt);
    } catch (error) {
      log.end();
      await cgroup?.remove();
      throw error;
    }
  }

  get plan(): ContainerPlan {
    return this.#options.plan;
  }

  get context(): ContainerStartContext {
    return this.#options.context;
  }

  /** What probes and hooks are asked of. */
  get target(): ProbeTarget {
    const { container, context, clock } = this.#options;
    return {
      container,
      netns: context.netns,
      podIp: context.podIp,
      clock,
      exec: (argv, signal) => runInContainer({ ...this.#execSpec(), argv }, signal),
    };
  }

  exec(options: Pick<ExecSpec, 'argv' | 'tty' | 'stdin' | 'onOutput'>): ContainerProcess {
    return execInContainer({ ...this.#execSpec(), ...options });
  }

  /**
   * Ends it: preStop, SIGTERM, and SIGKILL when `deadline` is aborted.
   * @param onHookFailure called with why the preStop hook failed
   */
  async end(graceMs: number, deadline: AbortSignal, onHookFailure: (why: string) => void): Promise<void> {
    const { container, clock } = this.#options;
    this.probes?.endButReadiness();
    const exited = this.process.exited.then(
      () => {},
      () => {},
    );
    const { preStop } = container.lifecycle ?? {};
    if (preStop !== undefined && graceMs > 0 && !deadline.aborted) {
      const hook = runHook(preStop, this.target, deadline);
      const failure = await Promise.race([hook, exited.then(() => undefined)]);
      if (failure !== undefined) onHookFailure(failure);
    }
    const kill = () => this.process.kill('SIGKILL');
    if (graceMs === 0 || deadline.reason === FORCED) kill();
    else if (deadline.aborted) {
      this.process.kill(stopSignal(container));
      using _timer = clock.setTimer(MIN_GRACE_MS, kill);
      await exited;
    } else {
      deadline.addEventListener('abort', kill, { once: true });
      this.process.kill(stopSignal(container));
    }
    await exited;
    deadline.removeEventListener('abort', kill);
  }

  /** Closes what the run had open, and tells how it ended. */
  ended(result: ExitResult): ContainerStateTerminated {
    const { container, containerId, dir, log, cgroup, clock } = this.#options;
    this.probes?.[Symbol.dispose]();
    log.end();
    const message = terminationMessage(dir, container, result.exitCode, log.path);
    const outOfMemory = result.exitCode !== 0 && (cgroup?.oomKills() ?? 0) > 0;
    void cgroup?.remove();
    return {
      exitCode: result.exitCode,
      ...(result.signal === 0 ? {} : { signal: result.signal }),
      reason: result.exitCode === 0 ? 'Completed' : outOfMemory ? 'OOMKilled' : 'Error',
      ...(message === '' ? {} : { message }),
      startedAt: this.startedAt,
      finishedAt: formatTime(clock.now()),
      containerID: containerId,
    };
  }

  #execSpec(): Omit<ExecSpec, 'argv' | 'tty' | 'stdin' | 'onOutput'> {
    const { plan, context, cgroup } = this.#options;
    const { env, workingDir, user } = plan;
    const { pid } = this.process;
    const multiplexer = plan.tty ? '/dev/ptmx' : `/proc/${pid}/root/dev/pts/ptmx`;
    return { pid, netns: context.netns, cgroup, env, workingDir, user, multiplexer };
  }
}

function stopSignal(container: Container): NodeJS.Signals {
  const given = container.lifecycle?.stopSignal;
  return given !== undefined && /^SIG[A-Z0-9]+$/.test(given) ? (given as NodeJS.Signals) : 'SIGTERM';
}
