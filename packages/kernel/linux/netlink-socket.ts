import { otherWork } from '#runtime';
import { isKernelError, KernelError } from '../errors.ts';
import { NLMSG_ERROR, parseError } from '../netlink/acknowledgement.ts';
import {
  Answer,
  BatchAnswer,
  type Decode,
  type NetlinkOperation,
  type NetlinkRefusal,
  refusal,
} from '../netlink/answer.ts';
import { NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from '../netlink/header-flags.ts';
import { type NetlinkMessage, parseMessages } from '../netlink/reader.ts';
import { NetlinkWriter } from '../netlink/writer.ts';
import { check, lastErrno, libc, sendInPool } from './libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;

/** A dump that changed under way is asked again this often before the last answer is taken. */
const DUMP_ATTEMPTS = 10;
/** Parts of a dump (up to 32 KiB each) read before other work gets its turn. */
const PARTS_A_TURN = 4;
const RECEIVE_TIMEOUT_SECONDS = 10;
/** Requests sent at once, so that the answers fit the socket (net.core.rmem_default) even if every one fails. */
const REQUESTS_A_BATCH = 128;

export interface NetlinkRequest extends NetlinkOperation {
  readonly type: number;
  readonly flags?: number;
  readonly body: (writer: NetlinkWriter) => void;
}

// Calls are synchronous and decode before they return, so one pair of buffers serves every socket of the thread. The
// `body` and `decode` of a request must not make requests themselves.
const writer = new NetlinkWriter();
let receiveBuffer: Buffer | undefined;

/**
 * A netlink socket bound in the namespace the thread is in when it is made; it stays there. Requests are synchronous:
 * the kernel has answered before send() returns.
 */
export class NetlinkSocket implements Disposable {
  readonly fd: number;
  #sequence = 0;
  #closed = false;
  /** What waits to be sent together. */
  #batch: NetlinkRequest[] | undefined;

  /** @param groups multicast groups to hear, as a bit mask (RTMGRP_*) */
  constructor(protocol: number, groups = 0) {
    this.fd = check(
      libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol),
      'open',
      `netlink socket ${protocol}`,
    );
    try {
      this.trySetOption(SOL_NETLINK, NETLINK_EXT_ACK, 1);
      this.trySetOption(SOL_NETLINK, NETLINK_CAP_ACK, 1);
      // Without it the kernel ignores the filters of a dump. Old kernels have none: callers filter again.
      this.trySetOption(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
      const timeout = Buffer.alloc(16);
      timeout.writeBigInt64LE(BigInt(RECEIVE_TIMEOUT_SECONDS));
      libc().setsockopt(this.fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length);
      this.#bind(groups);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Sets an integer socket option; false when the kernel does not allow it. */
  trySetOption(level: number, name: number, value: number): boolean {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return libc().setsockopt(this.fd, level, name, bytes, 4) === 0;
  }

  /** Sends one request and waits for its acknowledgement. @throws KernelError */
  execute(request: NetlinkRequest): void {
    this.query(request, () => undefined);
  }

  /** Like {@link execute}, where these errors say that it is so already. */
  executeUnless(errnos: readonly string[], request: NetlinkRequest): void {
    try {
      this.execute(request);
    } catch (error) {
      if (!isKernelError(error, ...errnos)) throw error;
    }
  }

  /**
   * Makes many requests, in order, some hundred a system call; the kernel goes on after one that fails.
   * @returns what it refused, in order
   */
  executeAll<R extends NetlinkRequest>(requests: readonly R[]): readonly NetlinkRefusal<R>[] {
    const refusals: NetlinkRefusal<R>[] = [];
    for (let start = 0; start < requests.length; start += REQUESTS_A_BATCH)
      refusals.push(...this.#executeBatch(requests.slice(start, start + REQUESTS_A_BATCH)));
    return refusals;
  }

  /** Like {@link execute}; inside {@link batch} it waits for the batch's end, or for the next request that does not. */
  put(request: NetlinkRequest): void {
    if (this.#batch === undefined) this.execute(request);
    else this.#batch.push(request);
  }

  /** @throws KernelError for the first request that the kernel refused; it has tried those after it */
  batch<T>(section: () => T): T {
    if (this.#batch !== undefined) return section();
    this.#batch = [];
    try {
      return section();
    } finally {
      try {
        this.#flush();
      } finally {
        this.#batch = undefined;
      }
    }
  }

  /** Sends one request; the kernel's work is done on a thread of the pool. Answers come before this resolves. */
  sendInPool(request: NetlinkRequest, sequence: number): Promise<void> {
    const own = new NetlinkWriter(256);
    own.message(request.type, NLM_F_REQUEST | NLM_F_ACK | (request.flags ?? 0), sequence, request.body);
    return this.sendRawInPool(own.bytes(), request.operation, request.object);
  }

  /** Whether what waits in the socket holds the request's acknowledgement, or a message of `type`. @throws KernelError */
  hasAnswer(request: NetlinkRequest, sequence: number, type: number): boolean {
    const messages = this.receive(request.operation, request.object, MSG_DONTWAIT) ?? [];
    return messages.some((message) => {
      if (message.type === type) return true;
      if (message.type !== NLMSG_ERROR || message.sequence !== sequence) return false;
      const error = refusal(parseError(message.payload, message.flags), request);
      if (error !== undefined) throw error;
      return true;
    });
  }

  /** Like {@link execute}, returning what `decode` makes of the data messages that come before the acknowledgement. */
  query<T>(request: NetlinkRequest, decode: Decode<T>): T[] {
    const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_ACK | (request.flags ?? 0));
    return this.#collect(request, sequence, decode).values;
  }

  /** Asks for a whole table, again when it changed while it was read. @throws KernelError */
  dump<T>(request: NetlinkRequest, decode: Decode<T>): T[] {
    for (let attempt = 1; ; attempt++) {
      const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_DUMP | (request.flags ?? 0));
      const { values, isInterrupted } = this.#collect(request, sequence, decode);
      if (!isInterrupted || attempt === DUMP_ATTEMPTS) return values;
    }
  }

  /** A {@link dump} that lets other work run between the parts of a long answer. The socket is busy until it ends. */
  async dumpInParts<T>(request: NetlinkRequest, decode: Decode<T>): Promise<T[]> {
    for (let attempt = 1; ; attempt++) {
      const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_DUMP | (request.flags ?? 0));
      const answer = new Answer(request, sequence, decode);
      for (let part = 1; !answer.isComplete; part++) {
        this.#receivePart(request, answer);
        if (part % PARTS_A_TURN === 0) await otherWork();
      }
      if (!answer.isInterrupted || attempt === DUMP_ATTEMPTS) return answer.values;
    }
  }

  /** Sends bytes that are whole messages already. @throws KernelError */
  sendRaw(bytes: Buffer, operation: string, object: string): void {
    this.#requireOpen(operation, object);
    check(libc().send(this.fd, bytes, bytes.length, 0), operation, object);
  }

  /** Like {@link sendRaw}; the kernel's work is done on a thread of the pool. */
  async sendRawInPool(bytes: Buffer, operation: string, object: string): Promise<void> {
    this.#requireOpen(operation, object);
    await sendInPool(this.fd, bytes, operation, object);
  }

  /**
   * What one recv returns: views into a buffer that the next receive reuses. undefined when nothing is there and
   * `flags` has MSG_DONTWAIT. @throws KernelError (`ENOBUFS` when the kernel had to drop messages)
   */
  receive(operation: string, object: string, flags = 0): readonly NetlinkMessage[] | undefined {
    receiveBuffer ??= Buffer.allocUnsafe(128 * 1024);
    for (;;) {
      const length = libc().recv(this.fd, receiveBuffer, receiveBuffer.length, flags);
      if (length >= 0) return parseMessages(receiveBuffer.subarray(0, length));
      const errno = lastErrno();
      if (errno === 'EINTR') continue;
      if (errno === 'EAGAIN' && flags !== 0) return undefined;
      throw new KernelError({ errno, operation, object });
    }
  }

  nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libc().close(this.fd);
  }

  #requireOpen(operation: string, object: string): void {
    if (this.#closed)
      throw new KernelError({ errno: 'EBADF', operation, object, detail: 'the socket is closed' });
  }

  #bind(groups: number): void {
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK);
    address.writeUInt32LE(groups, 8);
    check(libc().bind(this.fd, address, address.length), 'bind', 'netlink socket');
  }

  #flush(): void {
    const [refusal] = this.executeAll(this.#batch?.splice(0) ?? []);
    if (refusal !== undefined) throw refusal.error;
  }

  #send(request: NetlinkRequest, flags: number): number {
    this.#flush();
    const sequence = this.nextSequence();
    writer.reset();
    writer.message(request.type, flags, sequence, request.body);
    this.sendRaw(writer.bytes(), request.operation, request.object);
    return sequence;
  }

  /** Only the last request asks for an acknowledgement; the kernel reports errors unasked. */
  #executeBatch<R extends NetlinkRequest>(requests: readonly R[]): readonly NetlinkRefusal<R>[] {
    const bySequence = new Map<number, R>();
    writer.reset();
    for (const [i, request] of requests.entries()) {
      const sequence = this.nextSequence();
      bySequence.set(sequence, request);
      const acknowledged = i === requests.length - 1 ? NLM_F_ACK : 0;
      writer.message(
        request.type,
        NLM_F_REQUEST | acknowledged | (request.flags ?? 0),
        sequence,
        request.body,
      );
    }
    const { operation, object } = requests[0] ?? { operation: 'send', object: 'nothing' };
    this.sendRaw(writer.bytes(), operation, object);
    const answer = new BatchAnswer(bySequence);
    while (!answer.isComplete) answer.take(this.receive(operation, object) ?? []);
    return answer.refusals;
  }

  #collect<T>(request: NetlinkRequest, sequence: number, decode: Decode<T>): Answer<T> {
    const answer = new Answer(request, sequence, decode);
    while (!answer.isComplete) this.#receivePart(request, answer);
    return answer;
  }

  #receivePart<T>({ operation, object }: NetlinkRequest, answer: Answer<T>): void {
    answer.take(this.receive(operation, object) ?? []);
  }
}
