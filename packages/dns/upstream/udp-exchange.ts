import { createSocket } from 'node:dgram';
import { familyOf } from '#ip';
import type { Clock } from '#runtime';
import { decodeMessage, type Message } from '../wire/index.ts';
import { formatUpstream, type UpstreamAddress } from './address.ts';
import { UpstreamError } from './errors.ts';

/**
 * Sends one query and waits for the reply that `accept` takes; all else that arrives is passed over, so a forged
 * reply costs its sender and not the client. Each query has a socket, and so a port, of its own (RFC 5452 section 9.2),
 * connected, so that the kernel lets through only what comes from the upstream's address and port.
 */
export function udpExchange(
  upstream: UpstreamAddress,
  query: Uint8Array,
  accept: (reply: Message) => boolean,
  options: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Message> {
  const name = formatUpstream(upstream);
  return new Promise((resolve, reject) => {
    const socket = createSocket(familyOf(upstream.address) === 'IPv6' ? 'udp6' : 'udp4');
    const timer = options.clock.setTimer(options.timeoutMs, () =>
      fail(new UpstreamError(name, 'timeout', `no reply within ${options.timeoutMs} ms`)),
    );
    const stop = () => fail(new UpstreamError(name, 'closed', 'stopped'));
    options.signal.addEventListener('abort', stop, { once: true });
    let open = true;
    const finish = () => {
      open = false;
      timer[Symbol.dispose]();
      options.signal.removeEventListener('abort', stop);
      socket.close();
    };
    const fail = (error: UpstreamError) => {
      if (!open) return;
      finish();
      reject(error);
    };
    socket.on('error', (cause) => fail(new UpstreamError(name, 'unreachable', cause.message, { cause })));
    socket.on('message', (packet) => {
      const reply = tryDecode(packet);
      if (!open || reply === undefined || !accept(reply)) return;
      finish();
      resolve(reply);
    });
    socket.on('connect', () => socket.send(query));
    if (options.signal.aborted) stop();
    else socket.connect(upstream.port, upstream.address);
  });
}

export function tryDecode(packet: Uint8Array): Message | undefined {
  try {
    return decodeMessage(packet);
  } catch {
    return undefined;
  }
}
