import type Koffi from 'koffi';
import type { KoffiFunc } from 'koffi';
import { errnoName, libcCalls } from '#runtime';
import { KernelError } from '../errors.ts';

/** The calls of the C library that Podway makes in process. Each returns -1 and sets errno, or throws through {@link check}. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Uint8Array, length: Uint8Array, flags: number): number;
  shutdown(fd: number, how: number): number;
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
  recvfrom(
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: Uint8Array,
  ): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epoll_wait(epoll: number, events: Uint8Array, count: number, timeoutMs: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  close(fd: number): number;
  dup(fd: number): number;
  dup2(from: number, to: number): number;
  setns(fd: number, type: number): number;
  unshare(flags: number): number;
  mount(source: string, target: string, type: string | null, flags: number, data: string | null): number;
  umount2(target: string, flags: number): number;
}

const load = libcCalls<Libc>({
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, void *, uint)',
  connect: 'int connect(int, void *, uint)',
  listen: 'int listen(int, int)',
  accept4: 'int accept4(int, void *, void *, int)',
  shutdown: 'int shutdown(int, int)',
  setsockopt: 'int setsockopt(int, int, int, void *, uint)',
  getsockopt: 'int getsockopt(int, int, int, void *, void *)',
  send: 'intptr_t send(int, void *, size_t, int)',
  sendto: 'intptr_t sendto(int, void *, size_t, int, void *, uint)',
  recv: 'intptr_t recv(int, void *, size_t, int)',
  recvfrom: 'intptr_t recvfrom(int, void *, size_t, int, void *, void *)',
  epoll_create1: 'int epoll_create1(int)',
  epoll_ctl: 'int epoll_ctl(int, int, int, void *)',
  epoll_wait: 'int epoll_wait(int, void *, int, int)',
  ioctl: 'int ioctl(int, ulong, void *)',
  close: 'int close(int)',
  dup: 'int dup(int)',
  dup2: 'int dup2(int, int)',
  setns: 'int setns(int, int)',
  unshare: 'int unshare(int)',
  mount: 'int mount(const char *, const char *, const char *, ulong, const char *)',
  umount2: 'int umount2(const char *, int)',
});

export function libc(): Libc {
  return load().calls;
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
    const { koffi, calls } = load();
    const send = calls.send as KoffiFunc<Libc['send']>;
    send.async(fd, bytes, bytes.length, 0, (failure, sent) => {
      // koffi keeps the pool thread's errno for its callback.
      if (failure !== null) reject(failure);
      else if (sent < 0) reject(new KernelError({ errno: errnoName(koffi.errno()), operation, object }));
      else resolve();
    });
  });
}
