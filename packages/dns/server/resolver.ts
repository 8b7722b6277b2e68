import type { ClusterZone } from '../records/cluster-zone.ts';
import type { HostEntries } from '../records/host-entries.ts';
import { type Inquiry, type Resolution, record } from '../records/resolution.ts';
import type { LoopGuard } from '../upstream/loop-guard.ts';
import { CLASS_IN, type DnsName, META_TYPES, RCODES, RECORD_TYPES } from '../wire/index.ts';
import { failure } from './prepared-answer.ts';
import type { SearchPath } from './search-path.ts';

/** Answers for names that are not the cluster's. */
export interface OutsideResolver {
  resolve(question: Inquiry): Promise<Resolution> | Resolution;
}

/**
 * Without upstreams the cluster is the whole world: other names do not exist, and the client learns it at once. (A
 * SERVFAIL or REFUSED would be asked again, by most resolvers several times, and reads as "try again later".)
 */
export function isolatedResolver(ttl: number): OutsideResolver {
  return {
    resolve: () => ({
      rcode: RCODES.NXDOMAIN,
      authoritative: false,
      answers: [],
      authorities: [
        record('.', ttl, {
          type: 'SOA',
          primary: '.',
          mailbox: '.',
          serial: 1,
          refresh: 7200,
          retry: 1800,
          expire: 86400,
          minimum: ttl,
        }),
      ],
      additionals: [],
      stamp: [],
      lifetimeMs: ttl * 1000,
    }),
  };
}

/** Longest chain of CNAMEs that is followed, as other resolvers have it. */
const MAX_CHAIN = 8;

/** Answers any question: from the cluster, else from outside, following CNAMEs from one into the other. */
export class Resolver {
  readonly #zone: ClusterZone;
  readonly #hosts: HostEntries;
  readonly #loops: LoopGuard;
  readonly #outside: OutsideResolver;
  readonly #searchPath: SearchPath | undefined;

  constructor(deps: {
    readonly zone: ClusterZone;
    readonly hosts: HostEntries;
    readonly loops: LoopGuard;
    readonly outside: OutsideResolver;
    readonly searchPath?: SearchPath | undefined;
  }) {
    this.#zone = deps.zone;
    this.#hosts = deps.hosts;
    this.#loops = deps.loops;
    this.#outside = deps.outside;
    this.#searchPath = deps.searchPath;
  }

  /** Whether the cluster's own data decides the answer to this canonical name. */
  isClusterName(name: DnsName): boolean {
    return this.#zone.zoneOf(name) !== undefined;
  }

  /** Clients of one audience get one answer to a question. */
  audience(client: string): string {
    return this.#searchPath?.namespaceOf(client) ?? '';
  }

  /** `question.name` must be canonical; `client` is the asker's address. Never throws, never rejects. */
  resolve(question: Inquiry, client: string): Resolution | Promise<Resolution> {
    if (question.class !== CLASS_IN) return failure(RCODES.REFUSED);
    if (question.typeCode === META_TYPES.AXFR || question.typeCode === META_TYPES.IXFR)
      return failure(RCODES.REFUSED);
    if (this.#loops.catches(question.name)) return failure(RCODES.REFUSED);
    const found = this.#follow(question, undefined, 0);
    if (this.#searchPath === undefined || found instanceof Promise || found.rcode !== RCODES.NXDOMAIN)
      return found;
    if (!found.authoritative) return found;
    // What is denied to one client may be found for another: no answer of this kind is kept for all.
    const denial: Resolution = { ...found, lifetimeMs: 0 };
    const candidates = this.#searchPath.candidates(question, client);
    return candidates.length === 0 ? denial : this.#search(question, candidates, denial);
  }

  /** Walks the rest of a client's search list as its own resolver would: the first name with data wins. */
  async #search(question: Inquiry, candidates: readonly DnsName[], denial: Resolution): Promise<Resolution> {
    let last = denial;
    for (const name of candidates) {
      const found = await this.#follow({ ...question, name }, undefined, 0);
      if (found.answers.length > 0 && found.rcode === RCODES.NOERROR) {
        const ttl = Math.min(...found.answers.map((each) => each.ttl));
        const alias = record(question.name, ttl, { type: 'CNAME', target: name });
        return { ...found, authenticData: false, answers: [alias, ...found.answers], lifetimeMs: 0 };
      }
      // That a name exists, or that a server failed, outweighs that others do not exist.
      if (found.rcode !== RCODES.NXDOMAIN && last.rcode === RCODES.NXDOMAIN)
        last = { ...found, answers: [], additionals: [], lifetimeMs: 0 };
    }
    return last;
  }

  #follow(
    question: Inquiry,
    before: Resolution | undefined,
    depth: number,
  ): Resolution | Promise<Resolution> {
    const { name, typeCode } = question;
    const own = this.#hosts.resolve(name, typeCode) ?? this.#zone.resolve(name, typeCode);
    if (own === undefined) {
      const outside = this.#outside.resolve(question);
      if (outside instanceof Promise)
        return outside.then(
          (resolution) => join(before, resolution),
          () => join(before, failure()),
        );
      return join(before, outside);
    }
    const soFar = join(before, own);
    const target = cnameTarget(own, question);
    if (target === undefined) return soFar;
    if (depth === MAX_CHAIN) return failure();
    return this.#follow({ ...question, name: target }, soFar, depth + 1);
  }
}

function cnameTarget(resolution: Resolution, question: Inquiry): DnsName | undefined {
  if (question.typeCode === RECORD_TYPES.CNAME || question.typeCode === META_TYPES.ANY) return undefined;
  const [first] = resolution.answers;
  return first?.type === 'CNAME' ? first.target : undefined;
}

/** The answer along a CNAME: the records so far, and all else as the end of the chain has it. */
function join(before: Resolution | undefined, after: Resolution): Resolution {
  if (before === undefined) return after;
  return {
    ...after,
    authoritative: before.authoritative,
    authenticData: false,
    answers: [...before.answers, ...after.answers],
    stamp: [...before.stamp, ...after.stamp],
  };
}
