import { EVENTS, type Event, type ObjectReference, type Pod } from '#kube-api';
import type { KubeClient } from '#kube-client';
import { type Clock, errorMessage, type Logger, type Random } from '#runtime';

export type EventType = 'Normal' | 'Warning';

export interface EventRecorder {
  /** Reports something that happened to `subject`; equal events become one with a count. Never throws. */
  record(subject: ObjectReference, type: EventType, reason: string, message: string): void;
}

/** The object that an event about a Pod, or about one of its containers, belongs to. */
export function podReference(
  pod: Pod,
  container?: { readonly name: string; readonly init: boolean },
): ObjectReference {
  const { namespace = 'default', name = '', uid = '', resourceVersion } = pod.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    namespace,
    name,
    uid,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(container === undefined
      ? {}
      : { fieldPath: `spec.${container.init ? 'initContainers' : 'containers'}{${container.name}}` }),
  };
}

interface Known {
  readonly name: string;
  count: number;
}

/** How many kinds of event are remembered for counting. */
const MEMORY = 1024;

/** Writes events to the API, one after the other, the repeated ones as a higher count. */
export function createEventRecorder(options: {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `kubelet` */
  readonly component: string;
  readonly host: string;
}): EventRecorder {
  const { client, clock, random, logger, component, host } = options;
  const known = new Map<string, Known>();
  let last: Promise<void> = Promise.resolve();
  let serial = 0;

  /** Names that sort by time, as the times themselves have whole seconds only; the random end tells recorders apart. */
  const chronological = () => {
    const micros = clock.now() * 1000 + (serial++ % 1000);
    return `${micros.toString(16).padStart(14, '0')}${Buffer.from(random.bytes(2)).toString('hex')}`;
  };

  async function write(
    subject: ObjectReference,
    type: EventType,
    reason: string,
    message: string,
    now: string,
  ) {
    const key = JSON.stringify([
      subject.kind,
      subject.namespace,
      subject.name,
      subject.uid,
      subject.fieldPath,
      type,
      reason,
      message,
    ]);
    const namespace = subject.namespace ?? 'default';
    const old = known.get(key);
    if (old !== undefined) {
      old.count++;
      const body = { count: old.count, lastTimestamp: now };
      try {
        await client.patch(EVENTS, { namespace, name: old.name }, 'merge', body);
        return;
      } catch (error) {
        logger.debug('event is gone, writing a new one', { error: errorMessage(error) });
        known.delete(key);
      }
    }
    const eventName = `${subject.name ?? ''}.${chronological()}`;
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: eventName },
      involvedObject: subject,
      type,
      reason,
      message,
      source: { component, host },
      reportingComponent: component,
      reportingInstance: host,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    await client.create(EVENTS, event);
    known.set(key, { name: eventName, count: 1 });
    const [oldest] = known.keys();
    if (known.size > MEMORY && oldest !== undefined) known.delete(oldest);
  }

  return {
    record(subject, type, reason, message) {
      const now = rfc3339(clock.now());
      last = last
        .then(() => write(subject, type, reason, message, now))
        .catch((error: unknown) =>
          logger.debug('cannot write an event', { reason, error: errorMessage(error) }),
        );
    },
  };
}

/** As the API writes times: whole seconds, UTC. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
