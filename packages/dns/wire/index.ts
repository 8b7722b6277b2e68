export * from './codes.ts';
export { decodeMessage } from './decode.ts';
export { type EncodeOptions, encodeMessage } from './encode.ts';
export { WireError, type WireFault } from './errors.ts';
export * from './message.ts';
export { canonicalName, type DnsName, isInZone, labelToText, nameToLabels, nameToWire } from './name.ts';
