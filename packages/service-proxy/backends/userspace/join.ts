import type { Socket } from 'node:net';

/** Idle connections are asked for, so that an end that vanished does not hold the other for ever, milliseconds. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Carries bytes both ways until both sides have ended, as if the two were one connection: who stops reading slows the other down, the
 * end of one direction leaves the other open, and a reset goes through. Both sockets must allow half-open connections.
 */
export function join(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.setNoDelay(true);
    from.setKeepAlive(true, KEEP_ALIVE_MS);
    from.pipe(to);
    from.on('error', () => to.resetAndDestroy());
    // Closed without an end of its own: someone has given it up.
    from.on('close', () => {
      if (!from.readableEnded) to.resetAndDestroy();
    });
  }
}
