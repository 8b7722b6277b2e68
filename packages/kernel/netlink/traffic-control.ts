import type { RateLimit } from '../ports/shaping.ts';
import { Attributes, afterHeader, eachAttribute } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

export const RTM_NEWQDISC = 36;
export const RTM_DELQDISC = 37;
export const RTM_GETQDISC = 38;
export const RTM_NEWTFILTER = 44;
export const RTM_GETTFILTER = 46;

/** `struct tcmsg` and attributes of include/uapi/linux/rtnetlink.h, pkt_sched.h, pkt_cls.h, tc_act/tc_mirred.h */
const TCMSG = 20;
const TC_H_ROOT = 0xffffffff;
const TC_H_INGRESS = 0xfffffff1;
const INGRESS_HANDLE = 0xffff0000;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TC_LINKLAYER_ETHERNET = 1;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
/** Network order of ETH_P_ALL in the low half, priority 1 in the high half. */
const PRIORITY_AND_PROTOCOL = 0x0001_0300;
/** The scheduler's clock tick, in nanoseconds (PSCHED_SHIFT). */
const TICK = 64;
/** A packet waits at most this long for its turn before it is dropped: what the reference bandwidth plugin uses. */
const LATENCY_SECONDS = 0.025;

/** RTM_NEWQDISC of a token bucket at the link's root. */
export function encodeLimit(writer: NetlinkWriter, linkIndex: number, { rate, burst }: RateLimit): void {
  const bytesPerSecond = Math.max(1, Math.floor(rate / 8));
  const burstBytes = Math.min(0xffffffff, Math.floor(burst / 8));
  header(writer, linkIndex, 0, TC_H_ROOT, 0);
  writer.attrString(TCA_KIND, 'tbf');
  writer.nest(TCA_OPTIONS, () => {
    const parameters = Buffer.alloc(36);
    parameters.writeUInt8(TC_LINKLAYER_ETHERNET, 1);
    parameters.writeUInt32LE(Math.min(0xffffffff, bytesPerSecond), 8);
    const queue = Math.ceil(bytesPerSecond * LATENCY_SECONDS) + burstBytes;
    parameters.writeUInt32LE(Math.min(0xffffffff, queue), 24);
    const ticks = Math.floor((burstBytes / bytesPerSecond) * (1e9 / TICK));
    parameters.writeUInt32LE(Math.min(0xffffffff, ticks), 28);
    writer.attr(TCA_TBF_PARMS, parameters);
    writer.attrU32(TCA_TBF_BURST, burstBytes);
    if (bytesPerSecond > 0xffffffff) writer.attrU64(TCA_TBF_RATE64, BigInt(bytesPerSecond));
  });
}

/** A queueing discipline as the kernel reports it. */
export interface RawQdisc {
  readonly linkIndex: number;
  readonly kind: string;
  readonly root: boolean;
  /** Of a token bucket. `burst` is kept by the kernel as a time: some bits may be missing. */
  readonly limit: RateLimit | undefined;
}

/** @throws NetlinkFormatError */
export function decodeQdisc(payload: Buffer): RawQdisc {
  const attributes = new Attributes(afterHeader(payload, TCMSG, 'a queueing discipline'));
  const kind = attributes.string(TCA_KIND) ?? '';
  const options = kind === 'tbf' ? attributes.nested(TCA_OPTIONS) : undefined;
  const parameters = options?.bytes(TCA_TBF_PARMS);
  return {
    linkIndex: payload.readInt32LE(4),
    kind,
    root: payload.readUInt32LE(12) === TC_H_ROOT,
    limit: parameters === undefined ? undefined : decodeLimit(parameters, options?.u64(TCA_TBF_RATE64)),
  };
}

function decodeLimit(parameters: Buffer, rate64: bigint | undefined): RateLimit {
  afterHeader(parameters, 36, 'a token bucket');
  const bytesPerSecond = rate64 === undefined ? parameters.readUInt32LE(8) : Number(rate64);
  const seconds = (parameters.readUInt32LE(28) * TICK) / 1e9;
  return { rate: bytesPerSecond * 8, burst: Math.round(seconds * bytesPerSecond) * 8 };
}

/** RTM_NEWQDISC or RTM_DELQDISC of the hook that arriving packets pass. */
export function encodeIngress(writer: NetlinkWriter, linkIndex: number): void {
  header(writer, linkIndex, INGRESS_HANDLE, TC_H_INGRESS, 0);
  writer.attrString(TCA_KIND, 'ingress');
}

/** RTM_DELQDISC of whatever is at the link's root. */
export function encodeRoot(writer: NetlinkWriter, linkIndex: number): void {
  header(writer, linkIndex, 0, TC_H_ROOT, 0);
}

export function encodeQdiscDump(writer: NetlinkWriter, linkIndex: number): void {
  header(writer, linkIndex, 0, 0, 0);
}

/** RTM_NEWTFILTER: everything that arrives by one link leaves by another. u32 with a mask of 0 matches everything. */
export function encodeRedirect(writer: NetlinkWriter, linkIndex: number, targetIndex: number): void {
  header(writer, linkIndex, 0, INGRESS_HANDLE, PRIORITY_AND_PROTOCOL);
  writer.attrString(TCA_KIND, 'u32');
  writer.nest(TCA_OPTIONS, () => {
    const selector = Buffer.alloc(32);
    selector.writeUInt8(TC_U32_TERMINAL, 0);
    selector.writeUInt8(1, 2);
    writer.attr(TCA_U32_SEL, selector);
    writer.nest(TCA_U32_ACT, () => {
      writer.nest(1, () => {
        writer.attrString(TCA_ACT_KIND, 'mirred');
        writer.nest(TCA_ACT_OPTIONS, () => {
          const mirred = Buffer.alloc(28);
          mirred.writeInt32LE(TC_ACT_STOLEN, 8);
          mirred.writeInt32LE(TCA_EGRESS_REDIR, 20);
          mirred.writeUInt32LE(targetIndex, 24);
          writer.attr(TCA_MIRRED_PARMS, mirred);
        });
      });
    });
  });
}

export function encodeFilterDump(writer: NetlinkWriter, linkIndex: number): void {
  header(writer, linkIndex, 0, INGRESS_HANDLE, 0);
}

/** The link that a filter redirects to; undefined for any other filter. @throws NetlinkFormatError */
export function decodeRedirect(payload: Buffer): number | undefined {
  const attributes = new Attributes(afterHeader(payload, TCMSG, 'a filter'));
  const actions = attributes.nested(TCA_OPTIONS)?.bytes(TCA_U32_ACT);
  if (attributes.string(TCA_KIND) !== 'u32' || actions === undefined) return undefined;
  let target: number | undefined;
  eachAttribute(actions, (_, value) => {
    const action = new Attributes(value);
    const parameters = action.nested(TCA_ACT_OPTIONS)?.bytes(TCA_MIRRED_PARMS);
    if (action.string(TCA_ACT_KIND) !== 'mirred' || parameters === undefined) return;
    afterHeader(parameters, 28, 'a redirection');
    target = parameters.readUInt32LE(24);
  });
  return target;
}

function header(
  writer: NetlinkWriter,
  linkIndex: number,
  handle: number,
  parent: number,
  info: number,
): void {
  writer.u32(0).u32(linkIndex).u32(handle).u32(parent).u32(info);
}
