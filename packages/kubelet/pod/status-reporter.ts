import { PODS, type PodStatus } from '#kube-api';
import { type KubeClient, unlessGone } from '#kube-client';
import { type Clock, type Logger, Reconciler } from '#runtime';
import type { PodView } from './pod-view.ts';
import { podStatus } from './status.ts';

/** Writes a Pod's status to the API when it differs from what was last written, never to another Pod that has its name since. */
export class StatusReporter implements AsyncDisposable {
  readonly #client: KubeClient;
  readonly #view: () => PodView | undefined;
  readonly #reconciler: Reconciler;
  #reported = '';

  /** @param view what is known now; undefined once the Pod is gone */
  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly logger: Logger },
    view: () => PodView | undefined,
  ) {
    const { client, clock, logger } = deps;
    this.#client = client;
    this.#view = view;
    this.#reconciler = new Reconciler({ name: 'pod status', clock, logger }, () => this.report());
  }

  /** Something may have changed: it is written soon, and tried again until it is. */
  trigger(): void {
    this.#reconciler.trigger();
  }

  /** Writes it now. @throws ApiError, ApiUnreachableError */
  async report(): Promise<void> {
    const view = this.#view();
    if (view === undefined) return;
    const status = podStatus(view);
    const text = comparable(status);
    if (text === this.#reported) return;
    const { namespace = 'default', name = '', uid } = view.pod.metadata ?? {};
    await unlessGone(async () => {
      const body = { metadata: { uid }, status };
      await this.#client.patch(PODS, { namespace, name }, 'merge', body, 'status');
      this.#reported = text;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reconciler[Symbol.asyncDispose]();
  }
}

/** Transition times are no reason to write. */
function comparable(status: PodStatus): string {
  const conditions = status.conditions?.map(({ lastTransitionTime: _, ...rest }) => rest);
  return JSON.stringify({ ...status, conditions });
}
