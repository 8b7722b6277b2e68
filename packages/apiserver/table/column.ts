import type { Json } from '#kube-api';

/** A column of server-side printing. `wide` ones show with `-o wide` only. */
export interface Column<T> {
  readonly name: string;
  readonly type: 'string' | 'integer';
  readonly format?: 'name';
  readonly description: string;
  readonly wide?: boolean;
  /** `now`: milliseconds since the epoch. */
  value(object: T, now: number): Json;
}

interface Created {
  readonly metadata?: { readonly name?: string; readonly creationTimestamp?: string };
}

export const nameColumn: Column<Created> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  value: (object) => object.metadata?.name ?? '',
};

export const ageColumn: Column<Created> = {
  name: 'Age',
  type: 'string',
  description: 'CreationTimestamp is a timestamp representing the server time when this object was created.',
  value: (object, now) => ageSince(object.metadata?.creationTimestamp, now),
};

/** A text column. */
export function text<T>(
  name: string,
  value: (object: T, now: number) => string,
  options: { readonly wide?: boolean; readonly description?: string } = {},
): Column<T> {
  return {
    name,
    type: 'string',
    description: options.description ?? name,
    ...(options.wide === true && { wide: true }),
    value,
  };
}

export function integer<T>(name: string, value: (object: T) => number): Column<T> {
  return { name, type: 'integer', description: name, value };
}

/** How long ago, as kubectl prints it; `<unknown>` without a time. */
export function ageSince(timestamp: string | undefined, now: number): string {
  if (timestamp === undefined) return '<unknown>';
  return humanDuration(now - Date.parse(timestamp));
}

/** `5s`, `3m20s`, `5h`, `3d4h`, `2y10d`. Source: apimachinery util/duration HumanDuration. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return joined(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return joined(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return joined(days, 'd', hours % 24, 'h');
  if (days < 365 * 2) return `${days}d`;
  const years = Math.floor(days / 365);
  return days < 365 * 8 ? joined(years, 'y', days % 365, 'd') : `${years}y`;
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

/** A joined list, `<none>` when empty. */
export function listOrNone(items: readonly string[], separator = ','): string {
  return items.length === 0 ? '<none>' : items.join(separator);
}

export function mapOrNone(map: Readonly<Record<string, string>> | undefined): string {
  return listOrNone(
    Object.entries(map ?? {})
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${value}`),
  );
}
