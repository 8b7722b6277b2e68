import { addressAt, type IpAddress, type IpPrefix, parseIp, parsePrefix } from '#ip';

/** The lab's address plan: ARCHITECTURE.md has it as a table. */
export const LAN: IpPrefix = parsePrefix('172.30.0.0/16');
export const OUTSIDE: IpPrefix = parsePrefix('198.51.100.0/24');
export const CLUSTER_CIDR: IpPrefix = parsePrefix('10.244.0.0/16');
export const SERVICE_CIDR: IpPrefix = parsePrefix('10.96.0.0/16');
export const CLUSTER_DNS: IpAddress = parseIp('10.96.0.10');
export const CLUSTER_DOMAIN = 'cluster.local';

export const ROUTER_ON_LAN: IpAddress = addressAt(LAN, 1);
export const ROUTER_ON_OUTSIDE: IpAddress = addressAt(OUTSIDE, 1);
export const OUTSIDE_CLIENT: IpAddress = addressAt(OUTSIDE, 10);

/** Where nodes and Pods reach the API server. The user's shell has another address: 127.0.0.1 and the lab's port. */
export const API_SERVER_PORT = 6443;

export const MAX_NODES = 200;

/** `node1`, `node2`, …: index counts from 1. */
export function nodeName(index: number): string {
  return `node${index}`;
}

export function nodeNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => nodeName(i + 1));
}

export function nodeAddress(index: number): IpAddress {
  return addressAt(LAN, 10 + index);
}
