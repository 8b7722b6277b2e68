import type { ServerResponse } from 'node:http';
import type { JsonObject } from '#kube-api';
import { apiVersionOf } from '#kube-api';
import type { Clock, Random } from '#runtime';
import type { Registry } from '../registry/registry.ts';
import type { WatchItem } from '../registry/watch.ts';
import { badRequest } from '../status.ts';
import { partialMetadata, renderTable } from '../table/table.ts';
import { parseAccept } from './accept.ts';
import { includeObject } from './options.ts';
import type { ApiRequest } from './request.ts';
import type { ResourceRoute } from './route.ts';

export interface WatchDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
}

const BOOKMARK_EVERY_MS = 60_000;
const MIN_TIMEOUT_SECONDS = 1800;
/** A watcher that is this far behind is cut off: it lists again when it comes back. */
const MAX_BUFFERED = 32 * 1024 * 1024;

/** Streams a watch to a response until the client goes, or the time is up. @throws StatusError before anything is sent */
export function streamWatch(
  { registry, clock, random }: WatchDeps,
  { kind, namespace, name }: ResourceRoute,
  request: ApiRequest,
  response: ServerResponse,
): Disposable {
  const { query } = request;
  const accepted = parseAccept(request.accept);
  const include = includeObject(query);
  const timeout = query.get('timeoutSeconds');
  if (timeout !== null && !/^\d{1,9}$/.test(timeout))
    throw badRequest(`invalid timeoutSeconds: ${JSON.stringify(timeout)}`);
  const bookmarks = query.get('allowWatchBookmarks') === 'true';
  const sendInitialEvents = query.get('sendInitialEvents') === 'true';
  if (sendInitialEvents && query.get('resourceVersionMatch') !== 'NotOlderThan')
    throw badRequest('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  let headersSent = false;
  const pending: string[] = [];
  let columns = true;

  const shape = (object: JsonObject): JsonObject => {
    switch (accepted.as) {
      case 'object':
        return object;
      case 'Table': {
        const table = renderTable(kind, [object], {
          now: clock.now(),
          include,
          metadata: { resourceVersion: String(registry.store.version) },
          columns,
          version: accepted.version,
        });
        columns = false;
        return table;
      }
      case 'PartialObjectMetadata':
      case 'PartialObjectMetadataList':
        return partialMetadata(object, accepted.version);
      default:
        return accepted.as satisfies never;
    }
  };
  const write = (line: string) => {
    if (!headersSent) pending.push(line);
    else if (response.writableLength > MAX_BUFFERED) response.destroy();
    else response.write(line);
  };
  const item = ({ type, object, json }: WatchItem) => {
    const text = json !== undefined && accepted.as === 'object' ? json : JSON.stringify(shape(object));
    write(`{"type":"${type}","object":${text}}\n`);
  };
  const bookmark = (version: number, annotations?: JsonObject) => {
    const metadata = {
      resourceVersion: String(version),
      creationTimestamp: null,
      ...(annotations && { annotations }),
    };
    const object: JsonObject =
      accepted.as === 'Table'
        ? renderTable(
            kind,
            [{ kind: kind.resource.kind, apiVersion: apiVersionOf(kind.resource), metadata }],
            {
              now: clock.now(),
              include,
              metadata: { resourceVersion: String(version) },
              columns: false,
              version: accepted.version,
            },
          )
        : { kind: kind.resource.kind, apiVersion: apiVersionOf(kind.resource), metadata };
    write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
  };

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
    { item, initialEnd: (version) => bookmark(version, { 'k8s.io/initial-events-end': 'true' }) },
  );
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  headersSent = true;
  if (pending.length > 0) response.write(pending.join(''));

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
  const seconds = timeout === null ? 0 : Number(timeout);
  const lifetime = seconds > 0 ? seconds : MIN_TIMEOUT_SECONDS * (1 + random.next());
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
