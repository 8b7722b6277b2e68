import type { Container } from '#kube-api';
import type { Clock } from '#runtime';
import type { ContainerEvents } from './container-events.ts';
import type { ContainerLife } from './container-life.ts';
import { ContainerProbes } from './container-probes.ts';
import type { ContainerRun } from './container-run.ts';
import { runHook } from './lifecycle-hook.ts';
import type { ContainerView } from './pod-view.ts';

export interface AfterStartOptions {
  readonly container: Container;
  readonly kind: ContainerView['kind'];
  readonly clock: Clock;
  readonly life: ContainerLife;
  readonly events: ContainerEvents;
  /** Whether the run goes on. */
  readonly isPresent: () => boolean;
  readonly onChange: () => void;
  /** The run must end. @param graceSeconds a probe's own, if it has one */
  readonly restart: (why: string, graceSeconds?: number) => Promise<void>;
}

/** What follows the start of a run: its postStart hook, and after that its probes, which say whether it is ready. */
export async function afterStart(run: ContainerRun, options: AfterStartOptions): Promise<void> {
  const { container, kind, clock, life, events, isPresent, onChange, restart } = options;
  const { postStart } = container.lifecycle ?? {};
  if (postStart !== undefined) {
    const failed = await runHook(postStart, run.target, new AbortController().signal);
    if (!isPresent()) return;
    if (failed !== undefined) {
      events.record('Warning', 'FailedPostStartHook', `PostStartHook failed: ${failed}`);
      await restart('FailedPostStartHook');
      return;
    }
  }
  if (kind === 'init') return;
  run.probes = new ContainerProbes({
    container,
    target: run.target,
    clock,
    onUnhealthy: (message) => events.record('Warning', 'Unhealthy', message),
    onStarted: () => {
      life.startupPassed();
      onChange();
    },
    onReady: (ready) => {
      life.setReady(ready);
      onChange();
    },
    onDead: (why, graceSeconds) => void restart(why, graceSeconds),
  });
  onChange();
}
