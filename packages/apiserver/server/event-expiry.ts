import { asString } from '#kube-api';
import type { Clock } from '#runtime';
import type { Kind } from '../registry/kind.ts';
import { metaOf } from '../registry/metadata.ts';
import type { Registry } from '../registry/registry.ts';

/** Source: --event-ttl of the Kubernetes API server. */
const LIFETIME_MS = 3600_000;
const LOOK_EVERY_MS = 60_000;

/** Removes events an hour after they were last seen, as long as it is not disposed. */
export function expireEvents(registry: Registry, events: Kind, clock: Clock): Disposable {
  let timer: Disposable;
  const look = () => {
    const oldest = clock.now() - LIFETIME_MS;
    for (const event of registry.list(events, {}).items) {
      const { creationTimestamp, namespace, name = '' } = metaOf(event);
      const seen = asString(event['lastTimestamp']) ?? asString(event['eventTime']) ?? creationTimestamp;
      if (seen !== undefined && Date.parse(seen) < oldest) registry.delete({ kind: events, namespace, name });
    }
    schedule();
  };
  const schedule = () => {
    timer = clock.setTimer(LOOK_EVERY_MS, look, { unref: true });
  };
  schedule();
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}
