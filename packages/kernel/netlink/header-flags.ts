/** Flags in a netlink message's header (include/uapi/linux/netlink.h). */
export const NLM_F_REQUEST = 1;
/** The sender wants to hear of success too. */
export const NLM_F_ACK = 4;
/** The kernel tells the sender what it tells everybody who listens. */
export const NLM_F_ECHO = 8;
/** In an answer: the table changed while it was read. */
export const NLM_F_DUMP_INTR = 0x10;

/** To read: the whole table. */
export const NLM_F_DUMP = 0x300;

/** To write: in place of what is there. */
export const NLM_F_REPLACE = 0x100;
/** To write: only if nothing is there. */
export const NLM_F_EXCL = 0x200;
/** To write: also if nothing is there. */
export const NLM_F_CREATE = 0x400;
/** To write: behind what is there. */
export const NLM_F_APPEND = 0x800;
