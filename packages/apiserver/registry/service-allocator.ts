import {
  addressAt,
  type IpAddress,
  type IpPrefix,
  isIp,
  parsePrefix,
  prefixContains,
  prefixFamily,
  prefixSize,
} from '#ip';
import type { Service } from '#kube-api';
import type { Random } from '#runtime';
import type { Store, StoreEvent } from '../storage/store.ts';

export const NODE_PORTS = { first: 30000, last: 32767 } as const;
/** Automatic allocation leaves this many at the start to people who choose. Source: KEP-3070, KEP-3668. */
const STATIC_NODE_PORTS = 86;
const MAX_STATIC_ADDRESSES = 256;
const RANDOM_TRIES = 16;

/**
 * Which cluster addresses and node ports are taken: counted from the stored Services themselves, so a restart or a
 * failed write cannot make it wrong. Node ports are taken per protocol, as in Kubernetes.
 */
export class ServiceAllocator {
  readonly #ranges: readonly IpPrefix[];
  readonly #random: Random;
  readonly #addresses = new Map<string, string>();
  readonly #ports = new Map<string, string>();

  constructor(store: Store, ranges: readonly string[], random: Random) {
    this.#ranges = ranges.map((range) => parsePrefix(range));
    this.#random = random;
    for (const { object, key } of store.list('services')) this.#take(object as Service, key);
    store.subscribe('services', (event) => this.#observe(event));
  }

  /** The ranges' families; the first is the cluster's default. */
  get families(): readonly ('IPv4' | 'IPv6')[] {
    return this.#ranges.map(prefixFamily);
  }

  /** A free address of the family; undefined when the family has no range or the range is full. */
  nextAddress(family: string): IpAddress | undefined {
    const range = this.#ranges.find((prefix) => prefixFamily(prefix) === family);
    if (range === undefined) return undefined;
    const size = Number(prefixSize(range) > 2n ** 20n ? 2n ** 20n : prefixSize(range));
    // The network's own address, and for IPv4 the broadcast address, are never given out.
    const last = size - (family === 'IPv4' ? 2 : 1);
    const reserved = Math.min(Math.max(16, Math.floor(size / 16)), MAX_STATIC_ADDRESSES);
    const first = reserved < last ? reserved : 1;
    const index =
      pick(this.#random, first, last, (offset) => !this.#addresses.has(addressAt(range, offset))) ??
      pick(this.#random, 1, first - 1, (offset) => !this.#addresses.has(addressAt(range, offset)));
    return index === undefined ? undefined : addressAt(range, index);
  }

  /** What speaks against a Service `key` having this address; undefined when it may. */
  addressProblem(address: string, key: string): string | undefined {
    const range = isIp(address) ? this.#ranges.find((prefix) => prefixContains(prefix, address)) : undefined;
    if (range === undefined)
      return `failed to allocate IP ${address}: the provided IP (${address}) is not in the valid range. The range of valid IPs is ${this.#ranges.join(', ')}`;
    const owner = this.#addresses.get(address);
    return owner === undefined || owner === key
      ? undefined
      : `failed to allocate IP ${address}: provided IP is already allocated`;
  }

  /** A node port free for all protocols, outside `chosen`; undefined when none is left. */
  nextNodePort(chosen: ReadonlySet<number>): number | undefined {
    const free = (port: number) =>
      !chosen.has(port) && !PROTOCOLS.some((protocol) => this.#ports.has(`${protocol}/${port}`));
    const { first, last } = NODE_PORTS;
    return (
      pick(this.#random, first + STATIC_NODE_PORTS, last, free) ??
      pick(this.#random, first, first + STATIC_NODE_PORTS - 1, free)
    );
  }

  nodePortProblem(protocol: string, port: number, key: string): string | undefined {
    const { first, last } = NODE_PORTS;
    if (port < first || port > last)
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    const owner = this.#ports.get(`${protocol}/${port}`);
    return owner === undefined || owner === key ? undefined : 'provided port is already allocated';
  }

  #observe({ type, entry, previous }: StoreEvent): void {
    if (previous !== undefined) this.#release(previous.object as Service, entry.key);
    if (type !== 'DELETED') this.#take(entry.object as Service, entry.key);
  }

  #take(service: Service, key: string): void {
    for (const address of clusterAddresses(service)) this.#addresses.set(address, key);
    for (const port of nodePortKeys(service)) this.#ports.set(port, key);
  }

  #release(service: Service, key: string): void {
    for (const address of clusterAddresses(service))
      if (this.#addresses.get(address) === key) this.#addresses.delete(address);
    for (const port of nodePortKeys(service)) if (this.#ports.get(port) === key) this.#ports.delete(port);
  }
}

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;

function clusterAddresses({ spec }: Service): readonly string[] {
  return (spec?.clusterIPs ?? []).filter((address) => address !== 'None' && address !== '');
}

function nodePortKeys({ spec }: Service): readonly string[] {
  const ports = (spec?.ports ?? []).flatMap(({ protocol = 'TCP', nodePort }) =>
    nodePort === undefined || nodePort === 0 ? [] : [`${protocol}/${nodePort}`],
  );
  const health = spec?.healthCheckNodePort;
  return health === undefined || health === 0 ? ports : [...ports, `TCP/${health}`];
}

/** A number from first to last that is free: a few random tries, then the first free one in order. */
function pick(
  random: Random,
  first: number,
  last: number,
  free: (value: number) => boolean,
): number | undefined {
  for (let i = 0; i < RANDOM_TRIES && last >= first; i++) {
    const value = first + Math.floor(random.next() * (last - first + 1));
    if (free(value)) return value;
  }
  for (let value = first; value <= last; value++) if (free(value)) return value;
  return undefined;
}
