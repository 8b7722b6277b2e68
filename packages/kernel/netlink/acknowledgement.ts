import { NetlinkFormatError } from '../errors.ts';
import { Attributes } from './reader.ts';

/** Message types of answers without data (include/uapi/linux/netlink.h). */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

/** Flags of these alone. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

/** An answer without data: NLMSG_ERROR (errno 0 is success) or the code at the end of a dump. */
export interface Acknowledgement {
  /** Positive errno, 0 for success. */
  readonly errno: number;
  /** The kernel's explanation (extended ACK). */
  readonly detail: string | undefined;
  /** Where in the request the offending attribute is: bytes from its start. */
  readonly offset: number | undefined;
}

/**
 * Reads an NLMSG_ERROR payload: `struct nlmsgerr`, then the request (or its header alone), then extended attributes.
 * @throws NetlinkFormatError
 */
export function parseError(payload: Buffer, flags: number): Acknowledgement {
  if (payload.length < 20) throw new NetlinkFormatError(`netlink: an error of ${payload.length} bytes`);
  const quoted = (flags & NLM_F_CAPPED) !== 0 ? 16 : Math.max(16, (payload.readUInt32LE(4) + 3) & ~3);
  return withDetail(-payload.readInt32LE(0), payload.subarray(4 + quoted), flags);
}

/** Reads an NLMSG_DONE payload: a code, then extended attributes; empty in old kernels. */
export function parseDone(payload: Buffer, flags: number): Acknowledgement {
  if (payload.length < 4) return { errno: 0, detail: undefined, offset: undefined };
  return withDetail(Math.max(0, -payload.readInt32LE(0)), payload.subarray(4), flags);
}

function withDetail(errno: number, rest: Buffer, flags: number): Acknowledgement {
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, detail: undefined, offset: undefined };
  const attributes = new Attributes(rest);
  return {
    errno,
    detail: attributes.string(NLMSGERR_ATTR_MSG),
    offset: attributes.u32(NLMSGERR_ATTR_OFFS),
  };
}
