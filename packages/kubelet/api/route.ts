import type { StreamRequest } from '../streaming/channels.ts';
import type { LogOptions } from './log-reader.ts';

/** A path of a kubelet's server. */
export type KubeletRoute =
  | ContainerRoute<'containerLogs'>
  | ContainerRoute<'exec'>
  | ContainerRoute<'attach'>
  | {
      readonly kind: 'portForward';
      readonly namespace: string;
      readonly pod: string;
      readonly query: URLSearchParams;
    }
  | { readonly kind: 'healthz' };

export interface ContainerRoute<Kind extends string> {
  readonly kind: Kind;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly query: URLSearchParams;
}

/** undefined for a path that a kubelet does not have. Some clients put the Pod's uid before the container's name. */
export function parseRoute(url: string): KubeletRoute | undefined {
  const { pathname, searchParams: query } = new URL(url, 'http://kubelet');
  const [kind, namespace, pod, ...rest] = pathname.split('/').slice(1).map(decodeURIComponent);
  if (kind === 'healthz') return { kind };
  if (namespace === undefined || pod === undefined) return undefined;
  const container = rest.at(-1);
  if (kind === 'portForward' && rest.length <= 1) return { kind, namespace, pod, query };
  if (kind !== 'containerLogs' && kind !== 'exec' && kind !== 'attach') return undefined;
  return container === undefined || rest.length > 2 ? undefined : { kind, namespace, pod, container, query };
}

const isTrue = (value: string | null): boolean => value === '1' || value === 'true';

export function streamRequest(query: URLSearchParams): StreamRequest {
  const tty = isTrue(query.get('tty'));
  return {
    stdin: isTrue(query.get('input')),
    stdout: isTrue(query.get('output')),
    // A terminal has one output.
    stderr: isTrue(query.get('error')) && !tty,
    tty,
  };
}

/** @param now milliseconds since the epoch */
export function logOptions(query: URLSearchParams, now: number): LogOptions {
  const number = (name: string) => {
    const text = query.get(name);
    const value = text === null || text === '' ? Number.NaN : Number(text);
    return Number.isFinite(value) && value >= 0 ? value : undefined;
  };
  const seconds = number('sinceSeconds');
  const time = Date.parse(query.get('sinceTime') ?? '');
  return {
    follow: isTrue(query.get('follow')),
    tailLines: number('tailLines'),
    since: seconds !== undefined ? now - seconds * 1000 : Number.isNaN(time) ? undefined : time,
    timestamps: isTrue(query.get('timestamps')),
    limitBytes: number('limitBytes'),
  };
}
