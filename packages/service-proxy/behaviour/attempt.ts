import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { familyOf, parseIp } from '#ip';
import { bindIn, connectIn, KernelError, type NetworkNamespace } from '#kernel';
import type { Outcome, Place } from './case.ts';

/** One connection from a namespace. @returns what the server said, or how it ended; silence after `answerMs` */
export async function attempt(netns: NetworkNamespace, to: Place, answerMs: number): Promise<Outcome> {
  try {
    return await (to.protocol === 'TCP' ? askTcp : askUdp)(netns, to, answerMs);
  } catch (error) {
    return failure(error);
  }
}

async function askTcp(netns: NetworkNamespace, to: Place, answerMs: number): Promise<string> {
  const signal = silenceAfter(answerMs);
  const socket = await connectIn(netns, to.address, to.port, { signal });
  return Buffer.concat(await socket.toArray({ signal })).toString();
}

async function askUdp(netns: NetworkNamespace, to: Place, answerMs: number): Promise<string> {
  const socket = udpClient(netns, to);
  try {
    // Connected, so that ICMP errors come back as errors.
    const connected = once(socket, 'connect');
    socket.connect(to.port, to.address);
    await connected;
    const answer = once(socket, 'message', { signal: silenceAfter(answerMs) });
    socket.send('?');
    const [message] = await answer;
    return String(message);
  } finally {
    socket.close();
  }
}

/** A client that keeps its socket, and with it its flow. */
export interface UdpFlow extends Disposable {
  /** @returns who answers; silence after `answerMs` [the flow's own] */
  ask(answerMs?: number): Promise<Outcome>;
}

export function udpFlow(netns: NetworkNamespace, to: Place, patienceMs: number): UdpFlow {
  const socket = udpClient(netns, to).on('error', () => {});
  return {
    async ask(answerMs = patienceMs) {
      const signal = silenceAfter(answerMs);
      const answer = once(socket, 'message', { signal }).then(
        ([message]) => String(message).split(' ')[0] ?? '',
        (error: unknown) => (isRefusal(error) ? 'refused' : 'silence'),
      );
      socket.send('?', to.port, to.address);
      return answer;
    },
    [Symbol.dispose]: () => void socket.close(),
  };
}

const TICK_MS = 20;

/**
 * Servers run in this process too: time in which it was held up, by a long change or a busy machine, has not been theirs. So turns of a timer are
 * counted, of which a process that is held up misses some.
 */
function silenceAfter(ms: number): AbortSignal {
  const controller = new AbortController();
  let left = Math.ceil(ms / TICK_MS);
  const timer = setInterval(() => {
    if (--left > 0) return;
    clearInterval(timer);
    controller.abort();
  }, TICK_MS).unref();
  return controller.signal;
}

function udpClient(netns: NetworkNamespace, to: Place): Socket {
  const isIpv4 = familyOf(to.address) === 'IPv4';
  const socket = createSocket(isIpv4 ? 'udp4' : 'udp6');
  const address = parseIp(isIpv4 ? '0.0.0.0' : '::');
  socket.bind({ fd: bindIn(netns, { protocol: 'udp', address, port: 0 }) });
  return socket;
}

/** A rule's answer; that of a route of type unreachable over IPv6; and what one of type blackhole says to this host's own. */
const UNREACHABLE = ['EHOSTUNREACH', 'ENETUNREACH', 'EINVAL'];

function failure(error: unknown): Outcome {
  if (isRefusal(error)) return 'refused';
  const errno = errnoOf(error);
  if (UNREACHABLE.includes(String(errno))) return 'unreachable';
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'))
    return 'silence';
  throw error;
}

function isRefusal(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ECONNREFUSED' || errno === 'ECONNRESET';
}

function errnoOf(error: unknown): unknown {
  if (error instanceof KernelError) return error.errno;
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
