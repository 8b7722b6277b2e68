import type { JsonObject } from '#kube-api';
import { KUBERNETES_VERSION } from '#kube-api';
import type { Kind, Subresource } from '../registry/kind.ts';

const [MAJOR = '', MINOR = ''] = KUBERNETES_VERSION.split('.');

/** What `kubectl version` shows. */
export const VERSION = {
  major: MAJOR,
  minor: MINOR,
  gitVersion: `v${KUBERNETES_VERSION}+podway`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: process.version,
  compiler: 'v8',
  platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
} as const;

/** What discovery tells of a kind. */
export interface Discovered
  extends Pick<Kind, 'resource' | 'singular' | 'shortNames' | 'categories' | 'subresources'> {
  /** Nothing of it is stored. */
  readonly createOnly?: boolean;
}

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

interface SubresourceInfo {
  readonly verbs: readonly string[];
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const verbsOf = ({ createOnly }: Discovered) => (createOnly === true ? ['create'] : VERBS);

function subresourceInfo(kind: Discovered, subresource: Subresource): SubresourceInfo {
  const own = { group: kind.resource.group, version: kind.resource.version, kind: kind.resource.kind };
  switch (subresource) {
    case 'status':
    case 'ephemeralcontainers':
      return { ...own, verbs: ['get', 'patch', 'update'] };
    case 'finalize':
      return { ...own, verbs: ['update'] };
    case 'scale':
      return { group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] };
    case 'binding':
      return { ...own, kind: 'Binding', verbs: ['create'] };
    case 'eviction':
      return { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] };
    case 'token':
      return { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] };
    case 'log':
      return { ...own, verbs: ['get'] };
    case 'exec':
      return { ...own, kind: 'PodExecOptions', verbs: ['create', 'get'] };
    case 'attach':
      return { ...own, kind: 'PodAttachOptions', verbs: ['create', 'get'] };
    case 'portforward':
      return { ...own, kind: 'PodPortForwardOptions', verbs: ['create', 'get'] };
    default:
      return subresource satisfies never;
  }
}

/** The discovery documents, from the list of kinds. */
export class Discovery {
  readonly #kinds: readonly Discovered[];
  /** Named groups in the order of the kinds, then ''. */
  readonly #groups: readonly { readonly group: string; readonly versions: readonly string[] }[];

  constructor(kinds: readonly Discovered[]) {
    this.#kinds = kinds;
    const groups = [...new Set(kinds.map(({ resource }) => resource.group))];
    this.#groups = groups.map((group) => ({
      group,
      versions: [
        ...new Set(
          kinds.filter(({ resource }) => resource.group === group).map(({ resource }) => resource.version),
        ),
      ],
    }));
  }

  get groupVersions(): readonly { readonly group: string; readonly version: string }[] {
    return this.#groups.flatMap(({ group, versions }) => versions.map((version) => ({ group, version })));
  }

  /** The document at a discovery path; undefined when there is none. `accept` may ask for the aggregated form. */
  document(
    path: string,
    accept: string,
  ): { readonly body: JsonObject; readonly contentType: string } | undefined {
    const aggregated =
      /application\/json;(?=[^,]*\bg=apidiscovery\.k8s\.io)(?=[^,]*\bv=(v2beta1|v2)\b)(?=[^,]*\bas=APIGroupDiscoveryList\b)[^,]*/.exec(
        accept,
      );
    const plain = (body: JsonObject) => ({ body, contentType: 'application/json' });
    const parts = path.split('/').filter((part) => part !== '');
    if (parts.length === 1 && (parts[0] === 'api' || parts[0] === 'apis')) {
      const version = aggregated?.[1];
      if (version !== undefined)
        return {
          body: this.#aggregated(parts[0] === 'api', version),
          contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
        };
      return plain(parts[0] === 'api' ? this.#legacyVersions() : this.#groupList());
    }
    if (parts[0] === 'api' && parts.length === 2) return this.#maybe(this.#resources('', parts[1] ?? ''));
    if (parts[0] === 'apis' && parts.length === 2) {
      const group = this.#groups.find((item) => item.group !== '' && item.group === parts[1]);
      return group === undefined
        ? undefined
        : plain({ kind: 'APIGroup', apiVersion: 'v1', ...groupInfo(group) });
    }
    if (parts[0] === 'apis' && parts.length === 3)
      return this.#maybe(this.#resources(parts[1] ?? '', parts[2] ?? ''));
    return undefined;
  }

  #maybe(body: JsonObject | undefined) {
    return body === undefined ? undefined : { body, contentType: 'application/json' };
  }

  #legacyVersions(): JsonObject {
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  }

  #groupList(): JsonObject {
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: this.#groups.filter(({ group }) => group !== '').map(groupInfo),
    };
  }

  #kindsOf(group: string, version: string): readonly Discovered[] {
    return this.#kinds.filter(({ resource }) => resource.group === group && resource.version === version);
  }

  #resources(group: string, version: string): JsonObject | undefined {
    const kinds = this.#kindsOf(group, version);
    if (kinds.length === 0) return undefined;
    return {
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: group === '' ? version : `${group}/${version}`,
      resources: kinds.flatMap((kind) => [
        {
          name: kind.resource.plural,
          singularName: kind.singular,
          namespaced: kind.resource.namespaced,
          kind: kind.resource.kind,
          verbs: verbsOf(kind),
          ...(kind.shortNames !== undefined && { shortNames: kind.shortNames }),
          ...(kind.categories !== undefined && { categories: kind.categories }),
        },
        ...(kind.subresources ?? []).map((name) => {
          const info = subresourceInfo(kind, name);
          const foreign = info.group !== group || info.version !== version;
          return {
            name: `${kind.resource.plural}/${name}`,
            singularName: '',
            namespaced: kind.resource.namespaced,
            kind: info.kind,
            verbs: info.verbs,
            ...(foreign && { group: info.group, version: info.version }),
          };
        }),
      ]),
    };
  }

  #aggregated(legacy: boolean, version: string): JsonObject {
    return {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: this.#groups
        .filter(({ group }) => (group === '') === legacy)
        .map(({ group, versions }) => ({
          metadata: { ...(group !== '' && { name: group }), creationTimestamp: null },
          versions: versions.map((name) => ({
            version: name,
            freshness: 'Current',
            resources: this.#kindsOf(group, name).map(aggregatedResource),
          })),
        })),
    };
  }
}

function groupInfo({
  group,
  versions,
}: {
  readonly group: string;
  readonly versions: readonly string[];
}): JsonObject {
  const infos = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: infos, preferredVersion: infos[0] ?? {} };
}

function aggregatedResource(kind: Discovered): JsonObject {
  const { group, version, kind: name, plural, namespaced } = kind.resource;
  return {
    resource: plural,
    responseKind: { group, version, kind: name },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: verbsOf(kind),
    ...(kind.shortNames !== undefined && { shortNames: kind.shortNames }),
    ...(kind.categories !== undefined && { categories: kind.categories }),
    ...(kind.subresources !== undefined && {
      subresources: kind.subresources.map((subresource) => {
        const { verbs, ...responseKind } = subresourceInfo(kind, subresource);
        return { subresource, responseKind, verbs };
      }),
    }),
  };
}
