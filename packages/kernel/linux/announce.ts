import { close } from 'node:fs';
import { macToBytes } from '#ip';
import type { Announcement } from '../announcement.ts';
import { check, libc } from './libc.ts';

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;

/** Sends one frame on a link of the namespace the thread is in. @throws KernelError `ENETDOWN` when the link is down */
export function sendAnnouncement(
  linkIndex: number,
  { etherType, destination, packet }: Announcement,
  object: string,
): void {
  const operation = 'announce';
  const fd = check(libc().socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), operation, object);
  try {
    // struct sockaddr_ll (include/uapi/linux/if_packet.h)
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET);
    address.writeUInt16BE(etherType, 2);
    address.writeInt32LE(linkIndex, 4);
    address.writeUInt8(6, 11);
    address.set(macToBytes(destination), 12);
    check(libc().sendto(fd, packet, packet.length, 0, address, address.length), operation, object);
  } finally {
    // On a thread of the pool: the kernel waits for an RCU grace period, as packet sockets see every packet.
    close(fd, () => {});
  }
}
