import { closeSync, openSync } from 'node:fs';
import type { Kernel } from '../ports/kernel.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { LinuxNamespace } from './namespace.ts';
import { openNetnsFile, pinNetns, unpinNetns } from './netns-files.ts';
import { insideNewNetns } from './thread-netns.ts';

/** The kernel this process runs on: rtnetlink, nfnetlink and libnftables in process, through koffi. */
export function linuxKernel(): Kernel {
  return { currentNetns, openNetns, createNetns, deleteNetns: unpinNetns };
}

const currentNetns = (): NetworkNamespace => new LinuxNamespace(openNetnsFile('/proc/thread-self/ns/net'));
const openNetns = (path: string): NetworkNamespace => new LinuxNamespace(openNetnsFile(path));

function createNetns(path: string): NetworkNamespace {
  const fd = insideNewNetns(() => openSync('/proc/thread-self/ns/net', 'r'));
  try {
    pinNetns(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return new LinuxNamespace(fd);
}
