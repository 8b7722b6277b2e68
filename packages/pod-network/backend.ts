import type { PlannedRoute } from './plan.ts';
import type { NodeProblem } from './problem.ts';
import type { NetworkView } from './view.ts';

/** A way to carry packets between nodes' Pods. Pure: it decides, and the pod network writes the difference. */
export interface PodNetworkBackend {
  readonly name: string;
  /** Bytes each packet grows by on the way; Pods' links get the uplink's MTU less this. */
  readonly overhead: number;
  plan(view: NetworkView): {
    readonly routes: readonly PlannedRoute[];
    readonly problems: readonly NodeProblem[];
  };
}
