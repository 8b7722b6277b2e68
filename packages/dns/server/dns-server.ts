import type { ListenAddress } from '#ip';
import { type IpPrefix, parseIp } from '#ip';
import type { EndpointSlice, Namespace, Pod, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { type Clock, type Logger, type Random, silentLogger, systemClock, systemRandom } from '#runtime';
import { ClusterIndex } from '../records/cluster-index.ts';
import { ClusterZone, type PodRecords } from '../records/cluster-zone.ts';
import { HostEntries, type HostEntry } from '../records/host-entries.ts';
import { reverseZones } from '../records/reverse-name.ts';
import { ZoneSerial } from '../records/zone-serial.ts';
import type { ForwardPolicy } from '../upstream/forwarder.ts';
import { LoopGuard } from '../upstream/loop-guard.ts';
import type { DnsName } from '../wire/index.ts';
import { CLIENT_LIMITS, type ClientLimits } from './client-limiter.ts';
import type { InheritedSocket } from './inherited-sockets.ts';
import { gaugeFamily, type MetricFamily, sample } from './metrics.ts';
import { Outside } from './outside.ts';
import { QueryLog } from './query-log.ts';
import { Resolver } from './resolver.ts';
import { Responder } from './responder.ts';
import { SearchPath } from './search-path.ts';
import { SyncGate } from './sync-gate.ts';
import { TcpListener } from './tcp-listener.ts';
import { UdpListener } from './udp-listener.ts';
import { ZoneTransfers } from './zone-transfers.ts';

export interface DnsServerOptions {
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  /** So that a namespace without Services exists too (NODATA and not NXDOMAIN for its name). */
  readonly namespaces?: Informer<Namespace>;
  /** For verified Pod records, and the names of clients. */
  readonly pods?: Informer<Pod>;
  /** UDP and TCP on each; the addresses must exist. Port 0 lets the kernel choose one, the same for both. */
  readonly listen: readonly ListenAddress[];
  /** Sockets used instead of new ones where `listen` names what they are bound to. They stay the caller's, and open. */
  readonly inherited?: readonly InheritedSocket[];
  /** `cluster.local` when absent. */
  readonly clusterDomain?: string;
  /** Prefixes whose reverse names are the cluster's: those of Services and of Pods. */
  readonly reversePrefixes?: readonly IpPrefix[];
  /** `insecure` when absent, as the specification has it. */
  readonly podRecords?: PodRecords;
  /** Seconds; 5 when absent. */
  readonly ttl?: number;
  /** How long a question waits for the first list of the cluster before it gets SERVFAIL. Milliseconds, 2000 when absent. */
  readonly syncWaitMs?: number;
  /**
   * Where names outside the cluster are asked for, as {@link parseUpstream} reads them. None: such names do not exist,
   * and clients are told so at once.
   */
  readonly upstreams?: readonly string[];
  /** `random` when absent. */
  readonly forwardPolicy?: ForwardPolicy;
  /** Domains that have upstreams of their own. */
  readonly stubDomains?: Readonly<Record<DnsName, readonly string[]>>;
  /** PEM of the authorities that `tls://` upstreams are trusted by, instead of the system's. */
  readonly upstreamCa?: string;
  /** Names that are answered before all others. */
  readonly hosts?: readonly HostEntry[];
  /**
   * Answer the first question of a Pod's search list with what the whole list finds ({@link SearchPath}): needs `pods`. The
   * domains that follow the cluster's in that list, from the node's resolv.conf; absent: off.
   */
  readonly autopath?: { readonly furtherDomains: readonly DnsName[] };
  /** What one client may ask; {@link CLIENT_LIMITS} when absent. */
  readonly clientLimits?: ClientLimits;
  /** Clients that may have the cluster's domain as a whole, by AXFR over TCP; nobody when absent. */
  readonly transferTo?: readonly IpPrefix[];
  /** The part of the queries that is logged, 0 to 1; none when absent. */
  readonly queryLogRate?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

export interface DnsServer extends AsyncDisposable {
  /** Where it listens, with the ports the kernel chose. */
  readonly listening: readonly ListenAddress[];
  /** Whether the cluster's names are answered (CoreDNS's `ready`). */
  readonly isReady: boolean;
  /** Present numbers, for who exposes them. */
  collectMetrics(): readonly MetricFamily[];
}

/** Prepared answers that are kept: some 300 octets each. */
const ANSWERS = 20_000;
/** Questions that may wait for an upstream, or the first list, at one time. */
const WAITING = 1000;

/**
 * Starts cluster DNS. The informers stay the caller's; their changes are answered from the moment they are reported.
 * @throws the system's error when an address cannot be bound; nothing is left open then
 */
export async function createDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { clock = systemClock, random = systemRandom, logger = silentLogger } = options;
  const { ttl = 5, clusterDomain = 'cluster.local', transferTo = [] } = options;
  await using stack = new AsyncDisposableStack();
  const index = new ClusterIndex();
  stack.use(follow(options.services, (current, old) => index.applyService(current, old)));
  stack.use(follow(options.endpointSlices, (current, old) => index.applySlice(current, old)));
  if (options.namespaces !== undefined)
    stack.use(follow(options.namespaces, (current, old) => index.applyNamespace(current, old)));
  if (options.pods !== undefined)
    stack.use(follow(options.pods, (current, old) => index.applyPod(current, old)));

  const serial = new ZoneSerial(index.epochs, clock);
  const zone = new ClusterZone(index, {
    clusterDomain,
    reverseZones: (options.reversePrefixes ?? []).flatMap(reverseZones),
    ttl,
    podRecords: options.podRecords ?? 'insecure',
    serverAddresses: options.listen.map(({ address }) => parseIp(address)),
    ...(transferTo.length > 0 && { serial: () => serial.current }),
  });
  const loops = new LoopGuard(random, logger);
  const outside = stack.use(new Outside(options, { clock, random, logger }));
  const resolver = new Resolver({
    zone,
    hosts: new HostEntries(options.hosts ?? [], ttl),
    loops,
    outside: outside.resolver,
    searchPath: options.autopath && new SearchPath(index, clusterDomain, options.autopath.furtherDomains),
  });
  const gate = new SyncGate(
    [options.services, options.endpointSlices, options.namespaces, ...verifyingPods(options)].flatMap(
      (informer) => (informer === undefined ? [] : [informer.synced]),
    ),
    clock,
    options.syncWaitMs ?? 2000,
  );
  const responder = new Responder(
    {
      resolver,
      epochs: index.epochs,
      gate,
      clock,
      random,
      ...(options.queryLogRate !== undefined &&
        options.queryLogRate > 0 && {
          queryLog: new QueryLog(options.queryLogRate, { logger, random, index }),
        }),
      ...(transferTo.length > 0 && { transfers: new ZoneTransfers(zone, gate, transferTo) }),
    },
    { answers: ANSWERS, waiting: WAITING, clientLimits: options.clientLimits ?? CLIENT_LIMITS },
  );

  const listening: ListenAddress[] = [];
  for (const listen of options.listen) {
    const listeners = await listenOnBoth(listen, options.inherited ?? [], responder, clock);
    stack.use(listeners.tcp);
    stack.use(listeners.udp);
    listening.push({ address: listen.address, port: listeners.udp.port });
  }
  for (const upstream of outside.upstreams) void loops.probe(upstream);
  logger.info('dns: answering', { listen: listening.map(({ address, port }) => `${address}#${port}`) });
  const resources = stack.move();
  return {
    listening,
    get isReady() {
      return gate.isOpen;
    },
    collectMetrics: () => [
      ...responder.counters.collect(
        `dns://${listening.map(({ address, port }) => `${address}:${port}`).join(',')}`,
      ),
      gaugeFamily('podway_dns_kept_answers', 'Prepared answers in memory.', [sample(responder.keptAnswers)]),
      gaugeFamily('podway_dns_ready', 'Whether the cluster’s names are answered.', [
        sample(gate.isOpen ? 1 : 0),
      ]),
      ...outside.collectMetrics(responder.counters.outsideAgain),
    ],
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Another port is tried when the one the kernel chose for UDP is somebody's for TCP. */
const PORT_TRIES = 20;

/** UDP and TCP on one port, on inherited sockets where there are such. */
async function listenOnBoth(
  { address, port }: ListenAddress,
  inherited: readonly InheritedSocket[],
  responder: Responder,
  clock: Clock,
): Promise<{ readonly udp: UdpListener; readonly tcp: TcpListener }> {
  const ip = parseIp(address);
  const find = (transport: InheritedSocket['transport']) =>
    inherited.find(
      (socket) => socket.transport === transport && socket.address === ip && socket.port === port,
    );
  for (let tries = 1; ; tries++) {
    const udp = new UdpListener({ address, port }, responder, clock, find('udp'));
    try {
      const listen = { address, port: udp.port };
      return { udp, tcp: await TcpListener.open(listen, responder, clock, { inherited: find('tcp') }) };
    } catch (error) {
      udp[Symbol.dispose]();
      if (port !== 0 || tries === PORT_TRIES) throw error;
    }
  }
}

/** Pods whose list denies names; where they only lend clients their names, answers need not wait for them. */
function verifyingPods({ pods, podRecords }: DnsServerOptions): readonly (Informer<Pod> | undefined)[] {
  return podRecords === 'verified' ? [pods] : [];
}

/** Everything an informer holds, then every change. */
function follow<T>(
  informer: Informer<T>,
  apply: (current: T | undefined, old: T | undefined) => void,
): Disposable {
  const subscription = informer.onChange(apply);
  for (const object of informer.list()) apply(object, undefined);
  return subscription;
}
