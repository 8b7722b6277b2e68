import type { JsonObject } from '#kube-api';
import { badRequest, expired } from '../status.ts';
import type { ListResult } from './requests.ts';

/** The snapshots behind `continue` tokens; older ones are forgotten (410), as etcd compacts them. */
const MAX_SNAPSHOTS = 32;

interface Snapshot {
  readonly version: number;
  readonly items: readonly JsonObject[];
}

/** Lists that are handed out in parts: all parts show the state of the first. */
export class Pages {
  readonly #snapshots = new Map<string, Snapshot>();
  #count = 0;

  /** The first part of a list. */
  begin(snapshot: Snapshot, limit: number): ListResult {
    const id = String(++this.#count);
    this.#snapshots.set(id, snapshot);
    const oldest = this.#snapshots.keys().next();
    if (this.#snapshots.size > MAX_SNAPSHOTS && !oldest.done) this.#snapshots.delete(oldest.value);
    return cut(snapshot, 0, limit, id);
  }

  /** The part that a `continue` token stands for. @throws StatusError 400, 410 */
  next(token: string, limit: number | undefined): ListResult {
    const [id = '', offset = ''] = Buffer.from(token, 'base64url').toString().split(':');
    if (!/^\d+$/.test(id) || !/^\d+$/.test(offset)) throw badRequest('continue key is not valid');
    const snapshot = this.#snapshots.get(id);
    if (snapshot === undefined)
      throw expired(
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
      );
    return cut(snapshot, Number(offset), limit ?? 0, id);
  }
}

function cut({ version, items }: Snapshot, offset: number, limit: number, id: string): ListResult {
  const end = limit > 0 ? offset + limit : items.length;
  const page = { items: items.slice(offset, end), resourceVersion: String(version) };
  if (end >= items.length) return page;
  return {
    ...page,
    continue: Buffer.from(`${id}:${end}`).toString('base64url'),
    remaining: items.length - end,
  };
}
