import type { Container, Probe } from '#kube-api';
import type { Clock } from '#runtime';
import { type ProbeTarget, runProbe } from './probe.ts';
import { type ProbeKind, Prober } from './prober.ts';

export interface ContainerProbesOptions {
  readonly container: Container;
  readonly target: ProbeTarget;
  readonly clock: Clock;
  /** One attempt failed. */
  readonly onUnhealthy: (message: string) => void;
  /** The startup probe has passed, or there is none. */
  readonly onStarted: () => void;
  readonly onReady: (ready: boolean) => void;
  /** The container must be started anew. @param graceSeconds the probe's own, if it has one */
  readonly onDead: (why: string, graceSeconds: number | undefined) => void;
}

/** The probes of one run of a container: startup first, then readiness and liveness side by side. */
export class ContainerProbes implements Disposable {
  readonly #options: ContainerProbesOptions;
  readonly #probers: { readonly kind: ProbeKind; readonly prober: Prober }[] = [];
  #disposed = false;

  constructor(options: ContainerProbesOptions) {
    this.#options = options;
    const { container, onDead } = options;
    const { startupProbe } = container;
    if (startupProbe === undefined) this.#started();
    else
      this.#add('startup', startupProbe, (ok, prober) => {
        prober[Symbol.dispose]();
        if (ok) this.#started();
        else onDead(`Container ${container.name} failed startup probe, will be restarted`, undefined);
      });
  }

  /** Readiness goes on being asked: a Pod that is ending may still serve. */
  endButReadiness(): void {
    for (const { kind, prober } of this.#probers) if (kind !== 'readiness') prober[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const { prober } of this.#probers) prober[Symbol.dispose]();
  }

  #started(): void {
    const { container, onStarted, onReady, onDead } = this.#options;
    const { readinessProbe, livenessProbe } = container;
    onStarted();
    if (readinessProbe === undefined) onReady(true);
    else this.#add('readiness', readinessProbe, onReady);
    if (livenessProbe !== undefined)
      this.#add('liveness', livenessProbe, (ok, prober) => {
        if (ok) return;
        prober[Symbol.dispose]();
        const seconds = livenessProbe.terminationGracePeriodSeconds;
        onDead(`Container ${container.name} failed liveness probe, will be restarted`, seconds);
      });
  }

  #add(kind: ProbeKind, probe: Probe, onResult: (ok: boolean, prober: Prober) => void): void {
    const { clock, target, onUnhealthy } = this.#options;
    const name = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
    const prober: Prober = new Prober({
      probe,
      clock,
      run: () => runProbe(probe, target),
      onFailure: (message) => onUnhealthy(`${name} probe failed: ${message}`),
      onResult: (ok) => {
        if (!this.#disposed) onResult(ok, prober);
      },
    });
    this.#probers.push({ kind, prober });
  }
}
