import type { ContainerView } from './pod-view.ts';

/** What the order of starts depends on. */
export interface Startable {
  readonly kind: ContainerView['kind'];
  /** It has ended, with exit code 0. */
  readonly succeeded: boolean;
  /** It runs, and its startup probe has passed, if it has one. */
  readonly started: boolean;
}

/**
 * The containers that should be running now: init containers one after the other, each once the one before it has
 * succeeded, or has started if it is a sidecar; the others when all of these have. Debugging containers wait for nobody.
 * Pure. Source: KEP-753 (sidecar containers).
 * @param containers in the Pod's order
 */
export function dueToStart<T extends Startable>(containers: readonly T[]): readonly T[] {
  const debugging = containers.filter(({ kind }) => kind === 'ephemeral');
  const first = containers.filter(({ kind }) => kind === 'init' || kind === 'sidecar');
  const blocking = first.findIndex((container) => !isDone(container));
  const begun = blocking < 0 ? first : first.slice(0, blocking + 1);
  const apps = blocking < 0 ? containers.filter(({ kind }) => kind === 'app') : [];
  const unfinished = begun.filter(({ kind, succeeded }) => kind === 'sidecar' || !succeeded);
  return [...debugging, ...unfinished, ...apps];
}

/** Those after it may start. */
function isDone({ kind, succeeded, started }: Startable): boolean {
  return kind === 'init' ? succeeded : started;
}
