import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroup } from '#cgroup';
import type { Container, Pod } from '#kube-api';
import type { ResolvedImage } from '../images/resolve.ts';
import { type ContainerPlan, containerPlan } from '../plan/container-plan.ts';
import { containerLimits, wantsLimits } from '../plan/limits.ts';
import type { ContainerDeps, ContainerStartContext } from './container-context.ts';
import type { ContainerEvents } from './container-events.ts';
import type { ContainerLife } from './container-life.ts';
import type { ContainerLogs } from './container-logs.ts';
import { ContainerRun } from './container-run.ts';
import type { OutputListeners } from './output-listeners.ts';

export interface ContainerStarterOptions {
  readonly container: Container;
  readonly pod: () => Pod;
  /** Each run has a directory of its own in it. */
  readonly dir: string;
  readonly deps: ContainerDeps;
  readonly life: ContainerLife;
  readonly events: ContainerEvents;
  readonly logs: ContainerLogs;
  readonly listeners: OutputListeners;
}

/** Starts the runs of a container, with what its Pod has for it and what this machine can give. */
export class ContainerStarter {
  readonly #options: ContainerStarterOptions;

  constructor(options: ContainerStarterOptions) {
    this.#options = options;
  }

  /** @throws ContainerStartError, PodConfigError; nothing is left running then */
  async start(
    image: ResolvedImage,
    makeContext: () => Promise<ContainerStartContext>,
  ): Promise<ContainerRun> {
    const { container, dir, deps, life, events, logs, listeners } = this.#options;
    const context = await makeContext();
    const plan = this.#possible(containerPlan(context.pod, container, image, context.environment));
    const layout = await deps.layout();
    const containerId = `podway://${Buffer.from(deps.random.bytes(32)).toString('hex')}`;
    life.beginRun(containerId);
    const { attempt } = life;
    rmSync(join(dir, String(attempt - 1)), { recursive: true, force: true });
    const log = logs.begin(attempt);
    events.record('Normal', 'Created', `Created container: ${container.name}`);
    return ContainerRun.start({
      container,
      containerId,
      context,
      plan,
      image,
      layout,
      dir: join(dir, String(attempt)),
      log,
      cgroup: this.#cgroup(attempt),
      clock: deps.clock,
      onOutput: (stream, chunk) => {
        log.append(stream, chunk);
        listeners.tell(stream, chunk);
        return undefined;
      },
    });
  }

  /** The plan without what cannot be had here, which is said. */
  #possible(plan: ContainerPlan): ContainerPlan {
    const { deps, events } = this.#options;
    if (!deps.singleUser || plan.user === undefined) return plan;
    if (plan.user.uid !== 0)
      events.record(
        'Warning',
        'UserIgnored',
        `runAsUser ${plan.user.uid}: a lab of an ordinary user has one user only`,
      );
    return { ...plan, user: undefined };
  }

  /** The group of the next run; undefined where limits are not enforced, which is said. */
  #cgroup(attempt: number): Cgroup | undefined {
    const { container, pod, deps, events } = this.#options;
    const { cgroups } = deps;
    if (cgroups.obstacle !== undefined && attempt === 0 && wantsLimits(container))
      events.record('Warning', 'LimitsNotEnforced', `resource limits: ${cgroups.obstacle}`);
    if (cgroups.enforced.size === 0) return undefined;
    const { uid = '' } = pod().metadata ?? {};
    return cgroups.create([uid, `${container.name}.${attempt}`], containerLimits(container));
  }
}
