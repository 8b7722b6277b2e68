import { InvalidInputError } from '#runtime';
import type { ProxyMechanism } from '#service-proxy';
import { type LabIpFamily, MAX_NODES } from './addresses.ts';

export const POD_NETWORKS = ['host-gw'] as const;
/** All of them, by their type: with the value every command of the lab would load the whole proxy, which takes longer than most commands. */
const PROXY: Readonly<Record<ProxyMechanism, true>> = {
  nftables: true,
  iptables: true,
  ipvs: true,
  userspace: true,
};
export const PROXIES: readonly string[] = Object.keys(PROXY);
export type PodNetworkName = (typeof POD_NETWORKS)[number];

/** What a lab is made of; stored with it, so that a restart makes the same lab again. */
export interface LabOptions {
  readonly nodes: number;
  readonly podNetwork: PodNetworkName;
  readonly proxy: ProxyMechanism;
  readonly ipFamily: LabIpFamily;
  /** `IMAGE=COMMAND`: what runs for an image, before the built-in table. */
  readonly images: readonly string[];
  /** Absolute path of a file of such lines. */
  readonly imagesFile: string | undefined;
}

export const DEFAULT_LAB_OPTIONS: LabOptions = {
  nodes: 3,
  podNetwork: 'host-gw',
  proxy: 'nftables',
  ipFamily: 'ipv4',
  images: [],
  imagesFile: undefined,
};

export const DEFAULT_LAB_NAME = 'default';

/** @throws InvalidInputError when `name` cannot be a directory and a host name: lower-case letters, digits and inner hyphens, at most 40 */
export function parseLabName(name: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name))
    throw new InvalidInputError(
      '--name',
      name,
      'must be lower-case letters, digits and hyphens between them, at most 40',
    );
  return name;
}

/** @throws InvalidInputError */
export function parseNodeCount(text: string): number {
  if (!/^[0-9]{1,4}$/.test(text)) throw new InvalidInputError('--nodes', text, 'must be a whole number');
  const count = Number(text);
  if (count < 1 || count > MAX_NODES)
    throw new InvalidInputError('--nodes', text, `must be from 1 to ${MAX_NODES}`);
  return count;
}
