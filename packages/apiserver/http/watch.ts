import type { ServerResponse } from 'node:http';
import type { JsonObject } from '#kube-api';
import type { Clock, Random } from '#runtime';
import type { Registry } from '../registry/registry.ts';
import { badRequest } from '../status.ts';
import { parseAccept } from './accept.ts';
import { countOf, includeObject } from './options.ts';
import type { ApiRequest } from './request.ts';
import type { ResourceRoute } from './route.ts';
import { WatchLines } from './watch-lines.ts';

export interface WatchDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
}

const BOOKMARK_EVERY_MS = 60_000;
const MIN_TIMEOUT_SECONDS = 1800;
/** A watcher that is this far behind is cut off: it lists again when it comes back. Octets. */
const MAX_BUFFERED = 32 * 1024 * 1024;

/** Streams a watch to a response until the client goes, or the time is up. @throws StatusError before anything is sent */
export function streamWatch(
  { registry, clock, random }: WatchDeps,
  { kind, namespace, name }: ResourceRoute,
  request: ApiRequest,
  response: ServerResponse,
): Disposable {
  const { query } = request;
  const lines = new WatchLines(kind, parseAccept(request.accept), includeObject(query));
  const timeout = countOf(query, 'timeoutSeconds') ?? 0;
  const bookmarks = query.get('allowWatchBookmarks') === 'true';
  const sendInitialEvents = query.get('sendInitialEvents') === 'true';
  if (sendInitialEvents && query.get('resourceVersionMatch') !== 'NotOlderThan')
    throw badRequest('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  let headersSent = false;
  const early: string[] = [];
  const write = (line: string) => {
    if (!headersSent) early.push(line);
    else if (response.writableLength > MAX_BUFFERED) response.destroy();
    else response.write(line);
  };
  const bookmark = (version: number, annotations?: JsonObject) =>
    write(lines.bookmark(version, clock.now(), annotations));

  // What the store has at once may be refused yet, so the headers wait for it.
  const subscription = registry.watch(
    kind,
    {
      namespace,
      name,
      labelSelector: query.get('labelSelector') ?? undefined,
      fieldSelector: query.get('fieldSelector') ?? undefined,
      resourceVersion: query.get('resourceVersion') ?? undefined,
      sendInitialEvents,
    },
    {
      item: (item) => write(lines.item(item, registry.store.version, clock.now())),
      initialEnd: (version) => bookmark(version, { 'k8s.io/initial-events-end': 'true' }),
    },
  );
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  headersSent = true;
  if (early.length > 0) response.write(early.join(''));

  let bookmarkTimer: Disposable | undefined;
  const scheduleBookmark = () => {
    bookmarkTimer = clock.setTimer(
      BOOKMARK_EVERY_MS,
      () => {
        bookmark(registry.store.version);
        scheduleBookmark();
      },
      { unref: true },
    );
  };
  if (bookmarks) scheduleBookmark();
  const lifetime = timeout > 0 ? timeout : MIN_TIMEOUT_SECONDS * (1 + random.next());
  const endTimer = clock.setTimer(lifetime * 1000, () => response.end(), { unref: true });
  const stop = {
    [Symbol.dispose]() {
      subscription[Symbol.dispose]();
      bookmarkTimer?.[Symbol.dispose]();
      endTimer[Symbol.dispose]();
      if (!response.writableEnded) response.end();
    },
  };
  response.once('close', () => stop[Symbol.dispose]());
  return stop;
}
