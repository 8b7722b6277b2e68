import type { IpAddress } from '#ip';
import {
  AF_INET,
  AF_INET6,
  closeOnExec,
  readSocketAddress,
  SOCKADDR_OCTETS,
  SOL_SOCKET,
  socketCalls,
} from './socket-calls.ts';

/** A socket that was bound before this process began and is kept open elsewhere: what arrives between two processes waits in it. */
export interface InheritedSocket {
  readonly fd: number;
  /** A TCP socket listens already. */
  readonly transport: 'udp' | 'tcp';
  readonly address: IpAddress;
  readonly port: number;
}

const FIRST_FD = 3;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;

/**
 * The sockets handed to this process by socket activation, sd_listen_fds(3); a service manager's names for them do not
 * matter, only what they are bound to. Takes the variables away, so that processes started from here do not take the
 * sockets for theirs. What is no UDP socket or listening TCP socket is passed over.
 */
export function takeInheritedSockets(
  environment: NodeJS.ProcessEnv,
  pid: number,
): readonly InheritedSocket[] {
  const descriptors = inheritedDescriptors(environment, pid);
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
  for (const fd of descriptors) closeOnExec(fd);
  return descriptors.map(describeSocket).filter((socket) => socket !== undefined);
}

/** None when the variables are another process's: they are passed on by programs that do not know of them. */
export function inheritedDescriptors(
  { LISTEN_PID: owner, LISTEN_FDS: count }: NodeJS.ProcessEnv,
  pid: number,
): readonly number[] {
  if (owner !== `${pid}` || count === undefined || !/^[0-9]{1,3}$/.test(count)) return [];
  return Array.from({ length: Number(count) }, (_, i) => FIRST_FD + i);
}

/** What an open descriptor is bound to; undefined when it is no socket that DNS can be served on. */
export function describeSocket(fd: number): InheritedSocket | undefined {
  const { calls } = socketCalls();
  const name = Buffer.alloc(SOCKADDR_OCTETS);
  if (calls.getsockname(fd, name, uint(SOCKADDR_OCTETS)) < 0) return undefined;
  const family = name.readUInt16LE(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const type = option(fd, SO_TYPE);
  if (type === SOCK_DGRAM) return { fd, transport: 'udp', ...readSocketAddress(name) };
  if (type === SOCK_STREAM && option(fd, SO_ACCEPTCONN) === 1)
    return { fd, transport: 'tcp', ...readSocketAddress(name) };
  return undefined;
}

function option(fd: number, name: number): number {
  const value = uint(0);
  return socketCalls().calls.getsockopt(fd, SOL_SOCKET, name, value, uint(4)) < 0 ? -1 : value.readUInt32LE();
}

function uint(value: number): Buffer {
  return Buffer.from(Uint32Array.of(value).buffer);
}
