import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import type Koffi from 'koffi';
import type { KoffiFunc } from 'koffi';
import { errnoName, KernelError } from '../errors.ts';

/** The calls of the C library that Podway makes in process. Each returns -1 and sets errno, or throws through {@link check}. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  sendto(
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  recv(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  close(fd: number): number;
  dup(fd: number): number;
  dup2(from: number, to: number): number;
  setns(fd: number, type: number): number;
  unshare(flags: number): number;
  mount(source: string, target: string, type: string | null, flags: number, data: string | null): number;
  umount2(target: string, flags: number): number;
}

interface Loaded {
  readonly koffi: typeof Koffi;
  readonly libc: Libc;
}
let loaded: Loaded | undefined;

/** Loads koffi and declares every function once, at first use: importing this package costs nothing. */
function load(): Loaded {
  if (loaded !== undefined) return loaded;
  if (endianness() !== 'LE') throw new Error('the netlink codec is written for little-endian machines');
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
  const library = koffi.load(null);
  // koffi has no ssize_t; intptr_t is the same on every Linux ABI.
  const declare = (definition: string) => library.func(definition) as unknown;
  const libc = {
    socket: declare('int socket(int, int, int)'),
    bind: declare('int bind(int, void *, uint)'),
    connect: declare('int connect(int, void *, uint)'),
    listen: declare('int listen(int, int)'),
    setsockopt: declare('int setsockopt(int, int, int, void *, uint)'),
    getsockopt: declare('int getsockopt(int, int, int, void *, void *)'),
    send: declare('intptr_t send(int, void *, size_t, int)'),
    sendto: declare('intptr_t sendto(int, void *, size_t, int, void *, uint)'),
    recv: declare('intptr_t recv(int, void *, size_t, int)'),
    ioctl: declare('int ioctl(int, ulong, void *)'),
    close: declare('int close(int)'),
    dup: declare('int dup(int)'),
    dup2: declare('int dup2(int, int)'),
    setns: declare('int setns(int, int)'),
    unshare: declare('int unshare(int)'),
    mount: declare('int mount(const char *, const char *, const char *, ulong, const char *)'),
    umount2: declare('int umount2(const char *, int)'),
  } as Libc;
  loaded = { koffi, libc };
  return loaded;
}

export function libc(): Libc {
  return load().libc;
}

export function koffi(): typeof Koffi {
  return load().koffi;
}

/** The errno of the last call on this thread. */
export function lastErrno(): string {
  return errnoName(load().koffi.errno());
}

/** Returns the result of a call, or throws what errno says. @throws KernelError */
export function check(result: number, operation: string, object: string): number {
  if (result < 0) throw new KernelError({ errno: lastErrno(), operation, object });
  return result;
}

/** send() on a thread of the pool; rejects with a KernelError. */
export function sendInPool(fd: number, bytes: Buffer, operation: string, object: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const { koffi, libc } = load();
    const send = libc.send as KoffiFunc<Libc['send']>;
    send.async(fd, bytes, bytes.length, 0, (failure, sent) => {
      // koffi keeps the pool thread's errno for its callback.
      if (failure !== null) reject(failure);
      else if (sent < 0) reject(new KernelError({ errno: errnoName(koffi.errno()), operation, object }));
      else resolve();
    });
  });
}
