/**
 * Prints, as one JSON object a line of its input, what a node holds of its Pods: run inside the node. Two that are equal
 * say that nothing was left between them.
 *
 *   node node-inventory.ts STATE_DIRECTORY
 */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AttachmentStore } from '#cni';
import { linuxKernel } from '#kernel';

export interface NodeInventory {
  readonly links: readonly string[];
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
  /** Every nft object with its handle, so that one made anew differs; of the host ports, which stay once made, their elements alone. */
  readonly rules: readonly string[];
  readonly hostPorts: readonly string[];
  readonly namespaces: readonly string[];
  /** What the agent remembers. */
  readonly attachments: readonly string[];
  /** Of sandboxes and containers. */
  readonly shims: number;
}

if (process.argv[1] === import.meta.filename)
  for await (const _ of createInterface({ input: process.stdin }))
    process.stdout.write(`${JSON.stringify(await takeInventory(process.argv[2] ?? ''))}\n`);

async function takeInventory(stateDirectory: string): Promise<NodeInventory> {
  using netns = linuxKernel().currentNetns();
  using store = new AttachmentStore(join(stateDirectory, 'attachments.sqlite'));
  const tables = await Promise.all(
    (await netns.nft.listTables()).map(async ({ family, name }) => ({
      name,
      objects: (await netns.nft.listTable(family, name)) ?? [],
    })),
  );
  const hostPorts = tables.filter(({ name }) => name === 'podway-hostport');
  // IPv6 link-local addresses come a while after their link, by themselves.
  const isOurs = (address: string) => !/^(fe80|ff00):/.test(address);
  return {
    links: netns.links.list().map(({ name }) => name),
    addresses: netns.addresses
      .list()
      .filter(({ address }) => isOurs(address))
      .map(({ link, address }) => `${link} ${address}`),
    routes: netns.routes
      .list()
      .filter(({ destination }) => isOurs(destination))
      .map(({ destination, link }) => `${destination} ${link}`),
    rules: tables
      .filter((table) => !hostPorts.includes(table) && table.name !== 'podway-loopback')
      .flatMap(({ objects }) => objects.map((object) => JSON.stringify(object))),
    hostPorts: hostPorts.flatMap(({ objects }) => objects).flatMap(elementsOf),
    namespaces: existsSync('/run/netns') ? readdirSync('/run/netns').sort() : [],
    attachments: store.list().map(({ containerId, addresses }) => `${containerId} ${addresses.join(' ')}`),
    shims: globSync('/proc/[0-9]*/cmdline').filter(isShim).length,
  };
}

/** libnftables-json(5): the elements of a map or set. */
function elementsOf(object: unknown): readonly string[] {
  const { map, set } = object as Partial<Record<'map' | 'set', { readonly elem?: readonly unknown[] }>>;
  return (map?.elem ?? set?.elem ?? []).map((element) => JSON.stringify(element));
}

function isShim(path: string): boolean {
  try {
    return /^[^\0]*containerd-shim/.test(readFileSync(path, 'utf8'));
  } catch {
    // The process ended meanwhile.
    return false;
  }
}
