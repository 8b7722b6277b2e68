import { IP_FAMILIES, type IpFamily, type IpPrefix } from '#ip';
import { LoopbackRouting, type NetworkNamespace, type NftPort } from '#kernel';
import type { Attachment } from './attachment.ts';
import {
  elementChange,
  elementName,
  HOST_PORT_TABLE,
  type HostPortElement,
  hasHostPortRules,
  hostPortElements,
  hostPortTable,
} from './port-mappings.ts';

type HostPortNamespace = Pick<NetworkNamespace, 'nft' | 'conntrack' | 'addresses' | 'sysctl'>;

/** IANA protocol number. */
const UDP = 17;

/** By name; an attachment never changes, so its elements are found once. */
const elementsOf = new WeakMap<Attachment, readonly (readonly [string, HostPortElement])[]>();

function elementsByName(attachment: Attachment): readonly (readonly [string, HostPortElement])[] {
  const known = elementsOf.get(attachment);
  if (known !== undefined) return known;
  const found = hostPortElements([attachment]).map((element) => [elementName(element), element] as const);
  elementsOf.set(attachment, found);
  return found;
}

/** Keeps the kernel's host port elements as the attachments ask. Tables appear with the first mapping of their family. */
export class HostPorts {
  readonly #netns: HostPortNamespace;
  readonly #nft: NftPort;
  readonly #serviceCidrs: readonly IpPrefix[];
  /** For host ports on 127.0.0.1. */
  readonly #loopback: LoopbackRouting;
  /** What the kernel holds, by name; undefined until it was looked at. */
  #held: Map<string, HostPortElement> | undefined;
  /** The kernel's count of transactions when it was found or made so. */
  #heldAt = 0;
  readonly #tables = new Set<IpFamily>();
  /** Changes one after the other: each is the difference from the one before. */
  #last: Promise<void> = Promise.resolve();

  /** @param serviceCidrs addresses there are the node's for Services only */
  constructor(netns: HostPortNamespace, serviceCidrs: readonly IpPrefix[]) {
    this.#netns = netns;
    this.#serviceCidrs = serviceCidrs;
    this.#nft = netns.nft;
    this.#loopback = new LoopbackRouting(netns);
  }

  /** Resolves when the kernel has exactly the mappings of the attachments that `read` gives when its turn comes. */
  reconcile(read: () => readonly Attachment[]): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await this.#reconcile(read());
      } catch (error) {
        if (this.#held === undefined) throw error;
        // Somebody else may have been at the table: once more, from what is there.
        this.#held = undefined;
        await this.#reconcile(read());
      }
    });
  }

  /** {@link reconcile} that finds out what others did to the table, if they did anything to any. */
  verify(read: () => readonly Attachment[]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#look();
      await this.#reconcile(read());
      if (this.#tables.has('IPv4')) await this.#loopback.ensure();
    });
  }

  /** Which of the attachment's mappings the kernel lacks, one sentence each. */
  async check(attachment: Attachment): Promise<readonly string[]> {
    const wanted = elementsByName(attachment);
    if (wanted.length === 0) return [];
    return await this.#inTurn(async () => {
      const held = await this.#look();
      return wanted
        .filter(([name]) => !held.has(name))
        .map(([name]) => `the host port element "${name}" is not there`);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    // The next one looks at the whole anew.
    this.#last = turn.then(
      () => undefined,
      () => {
        this.#held = undefined;
      },
    );
    return turn;
  }

  /** What the kernel holds, read anew if anyone else changed any rule since. */
  async #look(): Promise<Map<string, HostPortElement>> {
    if (this.#nft.generation() !== this.#heldAt) this.#held = undefined;
    return this.#held ?? (await this.#lookAnew());
  }

  async #lookAnew(): Promise<Map<string, HostPortElement>> {
    this.#heldAt = this.#nft.generation();
    this.#held = await this.#observe();
    return this.#held;
  }

  async #reconcile(attachments: readonly Attachment[]): Promise<void> {
    const wanted = new Map(attachments.flatMap(elementsByName));
    const held = this.#held ?? (await this.#lookAnew());
    const gone = [...held].filter(([name]) => !wanted.has(name)).map(([, element]) => element);
    const added = [...wanted].filter(([name]) => !held.has(name)).map(([, element]) => element);
    if (gone.length + added.length === 0) return;
    for (const { family } of added)
      if (!this.#tables.has(family)) {
        if (family === 'IPv4') await this.#loopback.ensure();
        await this.#nft.run(hostPortTable(family, this.#serviceCidrs));
        this.#heldAt = this.#nft.generation();
        this.#tables.add(family);
      }
    await this.#nft.elements([
      ...gone.map((element) => elementChange('delete', element)),
      ...added.map((element) => elementChange('add', element)),
    ]);
    this.#heldAt++;
    this.#held = wanted;
    await this.#forgetFlows([...gone, ...added]);
  }

  /**
   * UDP flows are kept by every packet, so a client that goes on asking would stay with a Pod that is gone, or with the
   * nobody that answered before there was one.
   */
  async #forgetFlows(changed: readonly HostPortElement[]): Promise<void> {
    const { conntrack, addresses } = this.#netns;
    const ports = new Set(changed.filter(({ set }) => set.startsWith('udp_')).map(({ key }) => key.at(-1)));
    if (ports.size === 0) return;
    const own = new Set(addresses.list().map(({ address }) => address));
    for (const flow of await conntrack.list({ protocol: UDP }))
      if (ports.has(flow.original.destinationPort) && own.has(flow.original.destination))
        conntrack.delete(flow);
  }

  async #observe(): Promise<Map<string, HostPortElement>> {
    const elements: HostPortElement[] = [];
    this.#tables.clear();
    for (const family of IP_FAMILIES) {
      const table = await this.#nft.listTable(family === 'IPv4' ? 'ip' : 'ip6', HOST_PORT_TABLE);
      // Without its rules it is as good as none, and made anew when it is needed.
      if (table === undefined || !hasHostPortRules(table, family, this.#serviceCidrs)) continue;
      this.#tables.add(family);
      elements.push(...table.flatMap((object) => readElements(family, object)));
    }
    return new Map(elements.map((element) => [elementName(element), element]));
  }
}

/** Removes all that any {@link HostPorts} ever wrote here. */
export async function removeHostPorts({ nft }: Pick<NetworkNamespace, 'nft'>): Promise<void> {
  for (const ip of ['ip', 'ip6'] as const)
    if ((await nft.listTable(ip, HOST_PORT_TABLE)) !== undefined)
      await nft.run(`delete table ${ip} ${HOST_PORT_TABLE}\n`);
}

type Part = HostPortElement['key'][number];

/** libnftables-json(5): `{"map": {"name", "elem": [[KEY, VALUE], …]}}`, `{"set": {"name", "elem": [KEY, …]}}`. */
function readElements(family: IpFamily, object: unknown): readonly HostPortElement[] {
  const { map, set } = object as { map?: NftJsonSet; set?: NftJsonSet };
  return [
    ...(map?.elem ?? []).map((pair) => {
      const [key, value] = pair as readonly [NftJsonValue, NftJsonValue];
      return { family, set: map?.name ?? '', key: partsOf(key), value: partsOf(value) };
    }),
    ...(set?.elem ?? []).map((key) => ({
      family,
      set: set?.name ?? '',
      key: partsOf(key as NftJsonValue),
      value: undefined,
    })),
  ];
}

interface NftJsonSet {
  readonly name: string;
  readonly elem?: readonly unknown[];
}
type NftJsonValue = Part | { readonly concat: readonly Part[] };

function partsOf(value: NftJsonValue): readonly Part[] {
  return typeof value === 'object' ? value.concat : [value];
}
