import type { Kind, Subresource } from '../registry/kind.ts';

/** What a path under /api or /apis names. */
export interface ResourceRoute {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: Subresource | undefined;
  /** The legacy `/watch/` prefix. */
  readonly watch: boolean;
}

/** Finds kinds by their place in the API. */
export class Router {
  readonly #kinds = new Map<string, Kind>();

  constructor(kinds: readonly Kind[]) {
    for (const kind of kinds)
      this.#kinds.set(`${kind.resource.group}/${kind.resource.version}/${kind.resource.plural}`, kind);
  }

  find(group: string, version: string, plural: string): Kind | undefined {
    return this.#kinds.get(`${group}/${version}/${plural}`);
  }

  /** `/api/v1/namespaces/NS/pods/NAME/status` and its like; undefined when nothing is there. */
  route(path: string): ResourceRoute | undefined {
    let parts: string[];
    try {
      parts = path.split('/').slice(1).map(decodeURIComponent);
    } catch {
      return undefined;
    }
    const root = parts.shift();
    const group = root === 'apis' ? parts.shift() : root === 'api' ? '' : undefined;
    const version = parts.shift();
    if (group === undefined || version === undefined) return undefined;
    const watch = parts[0] === 'watch';
    if (watch) parts.shift();
    if (parts.at(-1) === '') parts.pop();
    const inNamespace = parts[0] === 'namespaces' && parts.length >= 3;
    const scoped = inNamespace ? this.find(group, version, parts[2] ?? '') : undefined;
    if (scoped?.resource.namespaced === true) return target(scoped, parts[1], parts.slice(3), watch);
    const kind = this.find(group, version, parts[0] ?? '');
    if (kind === undefined || (kind.resource.namespaced && parts.length > 1)) return undefined;
    return target(kind, undefined, parts.slice(1), watch);
  }
}

function target(
  kind: Kind,
  namespace: string | undefined,
  [name, subresource, ...rest]: readonly string[],
  watch: boolean,
): ResourceRoute | undefined {
  if (rest.length > 0 || name === '') return undefined;
  if (subresource === undefined) return { kind, namespace, name, subresource: undefined, watch };
  const known = kind.subresources?.find((item) => item === subresource);
  return known === undefined ? undefined : { kind, namespace, name, subresource: known, watch };
}
