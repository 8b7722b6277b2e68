import { EVENTS, type Event, type KubeObject, type ObjectReference } from '#kube-api';
import { isNotFound, type KubeClient } from '#kube-client';
import { type Clock, errorMessage, type Logger, type Random, systemRandom } from '#runtime';
import { type Stored, timeOf } from './stored.ts';

export type EventType = 'Normal' | 'Warning';

export interface EventRecorder {
  /** Tells people what happened to an object. Never throws: an event that cannot be written is logged and lost. */
  record(object: Stored<KubeObject>, type: EventType, reason: string, message: string): void;
}

/** Distinct events remembered for aggregation, as client-go's EventCorrelator does. */
const REMEMBERED = 1024;

/** Writes Events; one that is repeated is counted in the Event that is there (`kubectl get events`: "5s (x3 over 1m)"). */
export class ApiEventRecorder implements EventRecorder {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #component: string;
  /** The last write of each distinct event; the next waits for it. */
  readonly #written = new Map<string, Promise<Event | undefined>>();

  constructor(
    deps: {
      readonly client: KubeClient;
      readonly clock: Clock;
      readonly logger: Logger;
      readonly random?: Random;
    },
    component: string,
  ) {
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#random = deps.random ?? systemRandom;
    this.#component = component;
  }

  record(object: Stored<KubeObject>, type: EventType, reason: string, message: string): void {
    const involved = referenceTo(object);
    const key = JSON.stringify([involved.uid, type, reason, message]);
    const before = this.#written.get(key) ?? Promise.resolve(undefined);
    const write = before
      .then((event) => this.#write(event, involved, type, reason, message))
      .catch((error: unknown) => {
        this.#logger.debug('an event was lost', { reason, error: errorMessage(error) });
        return undefined;
      });
    this.#written.delete(key);
    this.#written.set(key, write);
    const oldest = this.#written.keys().next();
    if (this.#written.size > REMEMBERED && oldest.done !== true) this.#written.delete(oldest.value);
  }

  /** Resolves when all that was recorded is written or lost. */
  async flush(): Promise<void> {
    await Promise.all(this.#written.values());
  }

  async #write(
    before: Event | undefined,
    involvedObject: ObjectReference,
    type: EventType,
    reason: string,
    message: string,
  ): Promise<Event> {
    const now = timeOf(this.#clock.now());
    const namespace = involvedObject.namespace ?? 'default';
    if (before?.metadata?.name !== undefined) {
      try {
        const counted = { count: (before.count ?? 1) + 1, lastTimestamp: now };
        return await this.#client.patch(EVENTS, { namespace, name: before.metadata.name }, 'merge', counted);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    const suffix = Buffer.from(this.#random.bytes(8)).toString('hex');
    return this.#client.create(EVENTS, {
      metadata: { namespace, name: `${involvedObject.name}.${suffix}` },
      involvedObject,
      type,
      reason,
      message,
      source: { component: this.#component },
      reportingComponent: this.#component,
      reportingInstance: '',
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    });
  }
}

function referenceTo({ apiVersion, kind, metadata }: Stored<KubeObject>): ObjectReference {
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    name: metadata.name,
    ...(metadata.namespace === '' ? {} : { namespace: metadata.namespace }),
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
  };
}
