import {
  familyOf,
  type IpAddress,
  type IpPrefix,
  type MacAddress,
  parseIp,
  parseMac,
  parsePrefix,
} from '#ip';
import { asInteger, asObject, asString, invalid, listOf, optional, parsed, present } from './fields.ts';
import { type CniVersion, isAtLeast } from './version.ts';

/** What a plugin did, in the form of specification 1.1.0; {@link formatResult} writes it in older forms. */
export interface CniResult {
  readonly interfaces: readonly ResultInterface[];
  readonly ips: readonly ResultIp[];
  readonly routes: readonly ResultRoute[];
  readonly dns: ResultDns;
}

export interface ResultInterface {
  readonly name: string;
  readonly mac?: MacAddress;
  readonly mtu?: number;
  /** Path of the namespace it is in; absent for the node's own. */
  readonly sandbox?: string;
}

export interface ResultIp {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly gateway?: IpAddress;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

export interface ResultRoute {
  readonly dst: IpPrefix;
  readonly gw?: IpAddress;
}

export interface ResultDns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** The result as JSON of the version that the configuration asks for. */
export function formatResult(result: CniResult, cniVersion: CniVersion): object {
  return {
    cniVersion,
    interfaces: result.interfaces.map(({ mtu, ...rest }) =>
      // 1.1.0 added mtu.
      isAtLeast(cniVersion, '1.1.0') && mtu !== undefined ? { ...rest, mtu } : rest,
    ),
    ips: result.ips.map(({ address, prefixLength, ...rest }) => ({
      // 1.0.0 took the version of each address away.
      ...(isAtLeast(cniVersion, '1.0.0') ? {} : { version: familyOf(address) === 'IPv6' ? '6' : '4' }),
      address: `${address}/${prefixLength}`,
      ...rest,
    })),
    routes: result.routes,
    dns: result.dns,
  };
}

/** Reads a result of any version, as `prevResult` holds it. @throws CniError 7 that names the field */
export function parseResult(value: unknown, field: string): CniResult {
  const object = asObject(value, field);
  const interfaces = optional(object['interfaces'], `${field}.interfaces`, listOf(parseInterface)) ?? [];
  return {
    interfaces,
    ips: optional(object['ips'], `${field}.ips`, listOf(parseResultIp(interfaces.length))) ?? [],
    routes: optional(object['routes'], `${field}.routes`, listOf(parseRoute)) ?? [],
    dns: optional(object['dns'], `${field}.dns`, parseDns) ?? {},
  };
}

function parseInterface(value: unknown, field: string): ResultInterface {
  const object = asObject(value, field);
  // Go plugins write "" for what they do not know.
  const known = (key: string) => (object[key] === '' ? undefined : object[key]);
  return present({
    name: asString(object['name'], `${field}.name`),
    mac: optional(known('mac'), `${field}.mac`, parsed(parseMac)),
    mtu: optional(object['mtu'], `${field}.mtu`, (mtu, at) => asInteger(mtu, at, [0, 0x7fff_ffff])),
    sandbox: optional(known('sandbox'), `${field}.sandbox`, asString),
  });
}

function parseResultIp(interfaces: number): (value: unknown, field: string) => ResultIp {
  return (value, field) => {
    const object = asObject(value, field);
    const [address, prefixLength] = parseAddressWithLength(object['address'], `${field}.address`);
    const index = optional(object['interface'], `${field}.interface`, (i, at) =>
      asInteger(i, at, [0, 1_000_000]),
    );
    if (index !== undefined && index >= interfaces)
      throw invalid(`${field}.interface`, index, `the index of one of the ${interfaces} interfaces`);
    return present({
      address,
      prefixLength,
      gateway: optional(object['gateway'], `${field}.gateway`, parsed(parseIp)),
      interface: index,
    });
  };
}

/** `10.1.0.5/24`: an address and the length of its network. */
export function parseAddressWithLength(value: unknown, field: string): readonly [IpAddress, number] {
  const text = asString(value, field);
  const prefix = parsed((whole) => parsePrefix(whole, { allowHostBits: true }))(text, field);
  return [parseIp(text.slice(0, text.indexOf('/'))), Number(prefix.slice(prefix.indexOf('/') + 1))];
}

function parseRoute(value: unknown, field: string): ResultRoute {
  const object = asObject(value, field);
  return present({
    dst: parsed((text) => parsePrefix(text, { allowHostBits: true }))(object['dst'], `${field}.dst`),
    gw: optional(object['gw'] === '' ? undefined : object['gw'], `${field}.gw`, parsed(parseIp)),
  });
}

export function parseDns(value: unknown, field: string): ResultDns {
  const object = asObject(value, field);
  const strings = (key: string) => optional(object[key], `${field}.${key}`, listOf(asString));
  return present({
    nameservers: strings('nameservers'),
    domain: optional(object['domain'] === '' ? undefined : object['domain'], `${field}.domain`, asString),
    search: strings('search'),
    options: strings('options'),
  });
}
