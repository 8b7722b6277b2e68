import { errnoName } from '#runtime';
import { isKernelError, KernelError } from '../errors.ts';
import { NLMSG_ERROR, parseError } from '../netlink/acknowledgement.ts';
import { type ElementMessage, encodeElementBatch } from '../netlink/nft-elements.ts';
import { encodeRules } from '../netlink/nft-rules.ts';
import type { NetlinkMessage } from '../netlink/reader.ts';
import { NetlinkWriter } from '../netlink/writer.ts';
import { checkElement, describeElement, describeSet } from '../nft-element.ts';
import type { NftElementChange, NftFamily, NftRawRule } from '../ports/nft.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_SNDBUFFORCE = 32;
const OPERATION = 'change nft elements';
const NOT_ACKNOWLEDGED = 'the kernel did not acknowledge the transaction';
/** A batch below this size is sent on this thread: it takes less than some milliseconds. */
const SEND_HERE_BYTES = 128 * 1024;
/** What a socket's send buffer holds unless told otherwise (net.core.wmem_default). */
const DEFAULT_SEND_BUFFER = 212_992;

/**
 * Sends one transaction of element changes and throws what the kernel says. The promise is settled already for small
 * ones; the kernel's work on large ones is done by a thread of the pool. The socket is busy until it ends.
 */
export async function changeElements(
  socket: NetlinkSocket,
  changes: readonly NftElementChange[],
): Promise<void> {
  for (const change of changes) checkElement(change);
  const writer = new NetlinkWriter(Math.max(1024, changes.length * 96));
  const messages = encodeElementBatch(writer, changes, () => socket.nextSequence());
  const bytes = writer.bytes();
  if (bytes.length > DEFAULT_SEND_BUFFER / 2) growSendBuffer(socket, bytes.length);
  const object = describe(changes);
  if (bytes.length <= SEND_HERE_BYTES) socket.sendRaw(bytes, OPERATION, object);
  else await socket.sendRawInPool(bytes, OPERATION, object);
  readAnswers(socket, changes, messages);
}

/** Appends rules in one transaction. @throws KernelError */
export function addRules(
  socket: NetlinkSocket,
  chain: { readonly family: NftFamily; readonly table: string; readonly chain: string },
  rules: readonly NftRawRule[],
): void {
  const operation = 'add nft rules to';
  const object = `${chain.family} ${chain.table} ${chain.chain}`;
  const writer = new NetlinkWriter();
  const last = encodeRules(writer, chain, rules, () => socket.nextSequence());
  socket.sendRaw(writer.bytes(), operation, object);
  let acknowledged = false;
  for (;;) {
    const received = socket.receive(operation, object, MSG_DONTWAIT);
    if (received === undefined) break;
    for (const { type, payload, flags, sequence } of received) {
      if (type !== NLMSG_ERROR) continue;
      const { errno, detail } = parseError(payload, flags);
      if (errno !== 0) throw new KernelError({ errno: errnoName(errno), operation, object, detail });
      acknowledged ||= sequence === last;
    }
  }
  if (!acknowledged) throw new KernelError({ errno: 'EPROTO', operation, object, detail: NOT_ACKNOWLEDGED });
}

function growSendBuffer(socket: NetlinkSocket, length: number): void {
  const wanted = length + 4096;
  if (!socket.trySetOption(SOL_SOCKET, SO_SNDBUFFORCE, wanted))
    socket.trySetOption(SOL_SOCKET, SO_SNDBUF, wanted);
}

/** The kernel has put every answer into the socket before send() returned: errors, or one acknowledgement. */
function readAnswers(
  socket: NetlinkSocket,
  changes: readonly NftElementChange[],
  messages: readonly ElementMessage[],
): void {
  let failure: KernelError | undefined;
  let acknowledged = false;
  for (;;) {
    let received: readonly NetlinkMessage[] | undefined;
    try {
      received = socket.receive(OPERATION, describe(changes), MSG_DONTWAIT);
    } catch (error) {
      // More errors than the socket holds: the first ones follow.
      if (!isKernelError(error, 'ENOBUFS')) throw error;
      failure ??= error;
      continue;
    }
    if (received === undefined) break;
    for (const message of received) {
      if (message.type !== NLMSG_ERROR) continue;
      const { errno, detail, offset } = parseError(message.payload, message.flags);
      if (errno === 0) {
        acknowledged ||= message.sequence === messages.at(-1)?.sequence;
        continue;
      }
      if (failure !== undefined && failure.errno !== 'ENOBUFS') continue;
      const object = blame(
        changes,
        messages.find(({ sequence }) => sequence === message.sequence),
        offset,
      );
      failure = new KernelError({ errno: errnoName(errno), operation: OPERATION, object, detail });
    }
  }
  if (failure !== undefined) throw failure;
  if (!acknowledged)
    throw new KernelError({
      errno: 'EPROTO',
      operation: OPERATION,
      object: describe(changes),
      detail: NOT_ACKNOWLEDGED,
    });
}

/** The element an error points at; the whole set when it points at none. */
function blame(
  changes: readonly NftElementChange[],
  message: ElementMessage | undefined,
  offset: number | undefined,
): string {
  const head = changes[message?.first ?? 0];
  if (message === undefined || head === undefined) return describe(changes);
  const position = offset === undefined ? -1 : message.starts.findLastIndex((start) => start <= offset);
  const change = position < 0 ? undefined : changes[message.first + position];
  if (change === undefined) return describeSet(head);
  return describeElement(change);
}

function describe(changes: readonly NftElementChange[]): string {
  const [first] = changes;
  return first === undefined ? 'nothing' : `${changes.length} of ${describeSet(first)}`;
}
