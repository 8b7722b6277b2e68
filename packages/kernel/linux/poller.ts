import { check, koffi, libc } from './libc.ts';

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 0x1;
const EPOLLOUT = 0x4;
const EPOLLERR = 0x8;
const EPOLLHUP = 0x10;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 2 ** 31;
/** struct epoll_event is packed on x64 only (include/uapi/linux/eventpoll.h). */
const EVENT_OCTETS = process.arch === 'x64' ? 12 : 16;
const DATA_OFFSET = EVENT_OCTETS - 8;
const EVENTS = 128;
/** So often events are asked for before the event loop has its turn. */
const ROUNDS = 8;

/** What a descriptor is ready for. */
export class Readiness {
  readonly #events: number;
  constructor(events: number) {
    this.#events = events;
  }
  get readable(): boolean {
    return (this.#events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0;
  }
  get writable(): boolean {
    return (this.#events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) !== 0;
  }
  /** The other side sends no more, or is gone: there may be an end to read behind what is there. */
  get ended(): boolean {
    return (this.#events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0;
  }
  /** A socket has an error: a reset, a refusal. */
  get failed(): boolean {
    return (this.#events & EPOLLERR) !== 0;
  }
}

/**
 * - `readable`: told as long as there is something to read
 * - `changes`: told once whenever there is more to read or to write than before: who is told goes on until the kernel says EAGAIN
 */
export type PollInterest = 'readable' | 'changes';

/**
 * Many descriptors polled through a single one of the event loop's: one call for each, and no handle of Node's, so that a socket costs
 * little more than what the kernel does for it.
 */
export class Poller implements Disposable {
  readonly fd: number;
  readonly #poll: ReturnType<ReturnType<typeof koffi>['node']['poll']>;
  readonly #events = Buffer.alloc(EVENTS * EVENT_OCTETS);
  readonly #event = Buffer.alloc(EVENT_OCTETS);
  /** By a number of its own, as a descriptor's may be another's by the time of the event. */
  readonly #watched = new Map<number, (ready: Readiness) => void>();
  #last = 0;
  #open = true;

  /** @throws KernelError `EMFILE` */
  constructor() {
    this.fd = check(libc().epoll_create1(EPOLL_CLOEXEC), 'open', 'an epoll descriptor');
    this.#poll = koffi().node.poll(this.fd, { readable: true }, () => this.#dispatch());
  }

  /** @returns for {@link unwatch} and the others @throws KernelError `ENOSPC`, `ENOMEM`, `EPERM` */
  watch(fd: number, interest: PollInterest, listener: (ready: Readiness) => void): number {
    const id = ++this.#last;
    this.#event.writeUInt32LE(
      interest === 'readable' ? EPOLLIN : (EPOLLIN | EPOLLOUT | EPOLLRDHUP) + EPOLLET,
    );
    this.#event.writeDoubleLE(id, DATA_OFFSET);
    check(libc().epoll_ctl(this.fd, EPOLL_CTL_ADD, fd, this.#event), 'poll', `descriptor ${fd}`);
    this.#watched.set(id, listener);
    return id;
  }

  /** Another listener is told from now on. */
  redirect(id: number, listener: (ready: Readiness) => void): void {
    if (this.#watched.has(id)) this.#watched.set(id, listener);
  }

  unwatch(id: number, fd: number): void {
    this.forget(id);
    libc().epoll_ctl(this.fd, EPOLL_CTL_DEL, fd, this.#event);
  }

  /** For a descriptor that is closed next: the kernel ends the watching then. */
  forget(id: number): void {
    this.#watched.delete(id);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watched.clear();
    this.#poll.close();
    libc().close(this.fd);
  }

  #dispatch(): void {
    for (let round = 0; round < ROUNDS && this.#open; round++) {
      const count = libc().epoll_wait(this.fd, this.#events, EVENTS, 0);
      for (let at = 0; at < count; at++) {
        const offset = at * EVENT_OCTETS;
        const id = this.#events.readDoubleLE(offset + DATA_OFFSET);
        this.#watched.get(id)?.(new Readiness(this.#events.readUInt32LE(offset)));
      }
      if (count <= 0) return;
    }
  }
}
