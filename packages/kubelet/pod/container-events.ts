import type { Pod } from '#kube-api';
import type { EventRecorder, EventType } from '#kube-client';
import type { ContainerLife } from './container-life.ts';
import { podReference } from './pod-reference.ts';
import type { ContainerView } from './pod-view.ts';

/** What is told of one container. */
export class ContainerEvents {
  readonly #recorder: EventRecorder;
  readonly #pod: () => Pod;
  readonly #name: string;
  readonly #kind: ContainerView['kind'];
  /** The attempt whose back-off has been told of. */
  #notedBackOff: number | undefined;

  constructor(recorder: EventRecorder, pod: () => Pod, name: string, kind: ContainerView['kind']) {
    this.#recorder = recorder;
    this.#pod = pod;
    this.#name = name;
    this.#kind = kind;
  }

  record(type: EventType, reason: string, message: string): void {
    const subject = podReference(this.#pod(), { name: this.#name, init: this.#kind !== 'app' });
    this.#recorder.record(subject, type, reason, message);
  }

  /** Tells of a delay once, however often it is looked at. @returns whether it has just been told */
  backOff({ attempt, podText }: Pick<ContainerLife, 'attempt' | 'podText'>): boolean {
    if (this.#notedBackOff === attempt) return false;
    this.#notedBackOff = attempt;
    this.record('Warning', 'BackOff', `Back-off restarting failed container ${this.#name} in pod ${podText}`);
    return true;
  }
}
