export * from './codes.ts';
export { decodeMessage } from './decode.ts';
export { encodeMessage } from './encode.ts';
export * from './message.ts';
export { canonicalName, type DnsName, isInZone, nameToLabels } from './name.ts';
