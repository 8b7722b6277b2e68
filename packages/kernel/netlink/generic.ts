import { Attributes, afterHeader } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

/** Generic netlink: families of messages whose numbers the kernel chooses (include/uapi/linux/genetlink.h). */
export const GENL_ID_CTRL = 16;
/** Bytes of `struct genlmsghdr`. */
export const GENL_HEADER = 4;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

/** `struct genlmsghdr` */
export function generic(writer: NetlinkWriter, command: number, version: number): void {
  writer.u8(command).u8(version).u16(0);
}

/** Asks GENL_ID_CTRL for a family by name; the kernel loads its module when it can. `ENOENT`: there is none. */
export function encodeFamilyRequest(writer: NetlinkWriter, name: string): void {
  generic(writer, CTRL_CMD_GETFAMILY, 1);
  writer.attrString(CTRL_ATTR_FAMILY_NAME, name);
}

/** The number of a family: the type of its messages. @throws NetlinkFormatError */
export function decodeFamily(payload: Buffer): number | undefined {
  return new Attributes(afterHeader(payload, GENL_HEADER, 'a generic netlink family')).u16(
    CTRL_ATTR_FAMILY_ID,
  );
}
