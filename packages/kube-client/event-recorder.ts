import { EVENTS, type Event, formatTime, type ObjectReference } from '#kube-api';
import { type Clock, errorMessage, type Logger, type Random } from '#runtime';
import { isNotFound } from './errors.ts';
import type { KubeClient } from './ports.ts';

export type EventType = 'Normal' | 'Warning';

export interface EventRecorderDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Whose events they are. */
export interface EventSource {
  /** `kubelet` */
  readonly component: string;
  /** The node, of a component that is on every one. */
  readonly host?: string;
}

interface Written {
  readonly name: string;
  readonly count: number;
}

/** Distinct events remembered for counting. */
const REMEMBERED = 1024;

/**
 * Writes Events, one after the other; one that is repeated is counted in the Event that is there
 * (`kubectl get events`: "5s (x3 over 1m)"). Source: client-go tools/record.
 */
export class EventRecorder {
  readonly #deps: EventRecorderDeps;
  readonly #source: EventSource;
  readonly #written = new Map<string, Written>();
  #last: Promise<void> = Promise.resolve();
  #serial = 0;

  constructor(deps: EventRecorderDeps, source: EventSource) {
    this.#deps = deps;
    this.#source = source;
  }

  /** Tells people what happened to an object. Never throws: an event that cannot be written is logged and lost. */
  record(subject: ObjectReference, type: EventType, reason: string, message: string): void {
    const event = this.#event(subject, type, reason, message);
    this.#last = this.#last
      .then(() => this.#write(event))
      .catch((error: unknown) =>
        this.#deps.logger.debug('an event was lost', { reason, error: errorMessage(error) }),
      );
  }

  /** Resolves when all that was recorded is written or lost. */
  flush(): Promise<void> {
    return this.#last;
  }

  #event(involvedObject: ObjectReference, type: EventType, reason: string, message: string): Event {
    const { component, host } = this.#source;
    const now = formatTime(this.#deps.clock.now());
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        namespace: involvedObject.namespace ?? 'default',
        name: `${involvedObject.name ?? ''}.${this.#chronologicalName()}`,
      },
      involvedObject,
      type,
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? '',
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
  }

  /** Sorts by time, as the times themselves have whole seconds only; the random end tells recorders apart. */
  #chronologicalName(): string {
    const { clock, random } = this.#deps;
    const micros = clock.now() * 1000 + (this.#serial++ % 1000);
    return `${micros.toString(16).padStart(14, '0')}${Buffer.from(random.bytes(2)).toString('hex')}`;
  }

  async #write(event: Event): Promise<void> {
    const key = sameEventKey(event);
    const before = this.#written.get(key);
    this.#written.delete(key);
    const after = (before && (await this.#count(event, before))) ?? (await this.#create(event));
    this.#written.set(key, after);
    const [oldest] = this.#written.keys();
    if (this.#written.size > REMEMBERED && oldest !== undefined) this.#written.delete(oldest);
  }

  /** Undefined when the Event that is to be counted in is no longer there. */
  async #count(event: Event, before: Written): Promise<Written | undefined> {
    const { name } = before;
    const count = before.count + 1;
    const namespace = event.metadata?.namespace ?? 'default';
    const body = { count, lastTimestamp: event.lastTimestamp };
    try {
      await this.#deps.client.patch(EVENTS, { namespace, name }, 'merge', body);
      return { name, count };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #create(event: Event): Promise<Written> {
    await this.#deps.client.create(EVENTS, event);
    return { name: event.metadata?.name ?? '', count: 1 };
  }
}

/** Equal for what is one event repeated: also when its object has changed since. */
function sameEventKey({ involvedObject, type, reason, message }: Event): string {
  const { kind, namespace, name, uid, fieldPath } = involvedObject;
  return JSON.stringify([kind, namespace, name, uid, fieldPath, type, reason, message]);
}
