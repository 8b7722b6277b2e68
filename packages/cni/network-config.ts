import { type IpAddress, type MacAddress, parseIp, parseMac } from '#ip';
import type { RateLimit } from '#kernel';
import { CNI_CODES, CniError } from './errors.ts';
import {
  asGoObject,
  asInteger,
  asObject,
  asString,
  invalid,
  listOf,
  optional,
  parsed,
  present,
} from './fields.ts';
import { readContainerId, readIfName } from './request.ts';
import { type CniResult, parseAddressWithLength, parseDns, parseResult, type ResultDns } from './result.ts';
import { type CniVersion, parseVersion } from './version.ts';

/** Which network a configuration is of. */
export interface NetworkIdentity {
  readonly cniVersion: CniVersion;
  /** Attachments of different networks never meet. */
  readonly name: string;
}

/** What a plugin reads from standard input (CNI specification 1.1.0 sections 1 and 3), checked. */
export interface NetworkConfig extends NetworkIdentity {
  readonly dns: ResultDns;
  /** Present when another plugin of the chain came first. */
  readonly prevResult: CniResult | undefined;
  readonly portMappings: readonly PortMapping[];
  readonly bandwidth: Bandwidth | undefined;
  /** Fixed addresses that the Pod asked for. */
  readonly ips: readonly IpAddress[];
  readonly mac: MacAddress | undefined;
  /** GC: the attachments that shall stay; undefined when the runtime gave no list. */
  readonly validAttachments: readonly ValidAttachment[] | undefined;
}

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** undefined: on every address of the node. */
  readonly hostIP: IpAddress | undefined;
}

/** What the Pod may receive and send; undefined: no limit. */
export interface Bandwidth {
  readonly ingress: RateLimit | undefined;
  readonly egress: RateLimit | undefined;
}

export interface ValidAttachment {
  readonly containerId: string;
  readonly ifName: string;
}

/**
 * The identity alone, whatever else the configuration says: all that DEL needs.
 * @throws CniError 6 for what is not JSON, 1 for a foreign version, 7 for a wrong name
 */
export function parseIdentity(text: string): NetworkIdentity {
  return readIdentity(asObject(parseJson(text), 'configuration'));
}

function readIdentity(object: Readonly<Record<string, unknown>>): NetworkIdentity {
  return { cniVersion: parseVersion(object['cniVersion']), name: readNetworkName(object['name']) };
}

/** @throws CniError 6 for what is not JSON, 1 for a foreign version, 7 for a wrong field */
export function parseConfig(text: string): NetworkConfig {
  const object = asObject(parseJson(text), 'configuration');
  const runtime = optional(object['runtimeConfig'], 'runtimeConfig', asObject) ?? {};
  const at = (key: string) => [runtime[key], `runtimeConfig.${key}`] as const;
  return {
    ...readIdentity(object),
    dns:
      optional(runtime['dns'], 'runtimeConfig.dns', parseRuntimeDns) ??
      optional(object['dns'], 'dns', parseDns) ??
      {},
    prevResult: optional(object['prevResult'], 'prevResult', parseResult),
    portMappings: optional(...at('portMappings'), listOf(parsePortMapping))?.flat() ?? [],
    bandwidth: optional(...at('bandwidth'), parseBandwidth),
    ips: optional(...at('ips'), listOf(parseFixedAddress)) ?? [],
    mac: optional(runtime['mac'] === '' ? undefined : runtime['mac'], 'runtimeConfig.mac', parsed(parseMac)),
    validAttachments: optional(
      object['cni.dev/valid-attachments'] ?? object['cni.dev/attachments'],
      'cni.dev/valid-attachments',
      listOf(parseValidAttachment),
    ),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CniError(CNI_CODES.undecodable, `the network configuration on standard input is not JSON`, {
      details: error instanceof Error ? error.message : String(error),
    });
  }
}

/** The specification's form for network names. */
function readNetworkName(value: unknown): string {
  const name = asString(value, 'name');
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/.test(name))
    throw invalid(
      'name',
      name,
      'a network name: 1 to 253 letters, digits, _ . - beginning with a letter or digit',
    );
  return name;
}

/** A mapping without a host port is a port that is only declared: no work, so nothing. */
function parsePortMapping(value: unknown, field: string): readonly PortMapping[] {
  const object = asGoObject(value, field, ['hostPort', 'containerPort', 'protocol', 'hostIP']);
  const hostPort =
    optional(object['hostPort'], `${field}.hostPort`, (port, at) => asInteger(port, at, [0, 65535])) ?? 0;
  const protocol = (optional(object['protocol'], `${field}.protocol`, asString) ?? 'tcp').toLowerCase();
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw invalid(`${field}.protocol`, object['protocol'], 'tcp, udp or sctp');
  const containerPort = asInteger(object['containerPort'], `${field}.containerPort`, [1, 65535]);
  if (hostPort === 0) return [];
  const hostIP =
    object['hostIP'] === '' ? undefined : optional(object['hostIP'], `${field}.hostIP`, parsed(parseIp));
  return [
    {
      hostPort,
      containerPort,
      protocol,
      hostIP: hostIP === '0.0.0.0' || hostIP === '::' ? undefined : hostIP,
    },
  ];
}

/** Bits: the largest packet a veth link carries (64 KiB). Below it a token bucket splits packets, or lets none pass. */
const LEAST_BURST = 8 * 65536;

function parseBandwidth(value: unknown, field: string): Bandwidth {
  const names = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'] as const;
  const object = asGoObject(value, field, names);
  const number = (key: (typeof names)[number]) =>
    optional(object[key], `${field}.${key}`, (n, at) => asInteger(n, at, [0, Number.MAX_SAFE_INTEGER])) ?? 0;
  const limit = (direction: 'ingress' | 'egress') => {
    const rate = number(`${direction}Rate`);
    if (rate === 0) return undefined;
    if (rate < 8) throw invalid(`${field}.${direction}Rate`, rate, 'at least a byte, 8 bits, a second');
    return { rate, burst: Math.max(number(`${direction}Burst`), LEAST_BURST) };
  };
  return { ingress: limit('ingress'), egress: limit('egress') };
}

/** `10.244.1.7` or `10.244.1.7/24`: the range decides the length. */
function parseFixedAddress(value: unknown, field: string): IpAddress {
  const text = asString(value, field);
  return text.includes('/') ? parseAddressWithLength(text, field)[0] : parsed(parseIp)(text, field);
}

/** The runtime's own words for DNS differ from the specification's (`servers`, `searches`). */
function parseRuntimeDns(value: unknown, field: string): ResultDns {
  const object = asGoObject(value, field, ['servers', 'searches', 'options']);
  const strings = (key: keyof typeof object) => optional(object[key], `${field}.${key}`, listOf(asString));
  return present({
    nameservers: strings('servers'),
    search: strings('searches'),
    options: strings('options'),
  });
}

function parseValidAttachment(value: unknown, field: string): ValidAttachment {
  const object = asObject(value, field);
  return {
    containerId: readContainerId(
      `${field}.containerID`,
      asString(object['containerID'], `${field}.containerID`),
    ),
    ifName: readIfName(`${field}.ifname`, asString(object['ifname'], `${field}.ifname`)),
  };
}
