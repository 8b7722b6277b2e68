import type { LifecycleHandler } from '#kube-api';
import { errorMessage, sleep } from '#runtime';
import { httpGet, type ProbeTarget } from './probe.ts';

/**
 * Runs a postStart or preStop hook to its end, or until `deadline`, which is no failure.
 * @returns why it failed
 */
export async function runHook(
  hook: LifecycleHandler,
  target: ProbeTarget,
  deadline: AbortSignal,
): Promise<string | undefined> {
  try {
    if (hook.exec !== undefined) {
      const argv = hook.exec.command ?? [];
      const { exitCode, output } = await target.exec(argv, deadline);
      return exitCode === 0 || deadline.aborted
        ? undefined
        : `command '${argv.join(' ')}' exited with ${exitCode}: ${output}`;
    }
    if (hook.httpGet !== undefined) {
      const { status } = await httpGet(hook.httpGet, target, deadline);
      return status < 400 ? undefined : `status ${status}`;
    }
    if (hook.sleep !== undefined) await sleep(target.clock, hook.sleep.seconds * 1000, deadline);
    return undefined;
  } catch (error) {
    return deadline.aborted ? undefined : errorMessage(error);
  }
}
