import type { EventRecorder, KubeClient } from '#kube-client';
import type { Clock, Logger } from '#runtime';
import type { Informers } from './informers.ts';

/** What every controller is given. */
export interface ControllerContext {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly informers: Informers;
  readonly events: EventRecorder;
}
