export {
  compareIp,
  familyOf,
  hostInUrl,
  InvalidAddressError,
  type IpAddress,
  ipAdd,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  isIp,
  parseIp,
} from './address.ts';
export { addressBits, IP_FAMILIES, type IpFamily } from './family.ts';
export { type ListenAddress, parseListenAddress } from './listen-address.ts';
export { type MacAddress, macFromBytes, macToBytes, parseMac } from './mac.ts';
export {
  addressAt,
  hostPrefix,
  type IpPrefix,
  parsePrefix,
  prefixAddress,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
  prefixLength,
  prefixOf,
  prefixSize,
  subnet,
} from './prefix.ts';
