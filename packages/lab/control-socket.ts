import { closeSync, openSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { basename, dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { errorMessage } from '#runtime';
import type { ProxyMechanism } from '#service-proxy';
import { LabError } from './errors.ts';
import type { BootMark } from './records.ts';
import type { ProcessStatus } from './supervised-process.ts';

/** What a running lab can be asked, at a socket in its directory. */
export type ControlRequest =
  | { readonly kind: 'status' }
  | ({ readonly kind: 'pod' } & PodRequest)
  /** Have Services carried so, by every node. */
  | { readonly kind: 'proxy'; readonly proxy: ProxyMechanism };

export interface PodRequest {
  readonly namespace: string;
  readonly name: string;
  /** The first one unless told. */
  readonly container: string | undefined;
}

export interface SupervisorStatus {
  readonly processes: readonly ProcessStatus[];
  readonly marks: readonly BootMark[];
}

/** Process 1 of a container. */
export interface PodProcess {
  /** As the lab numbers it. */
  readonly pid: number;
  /** `NAME=VALUE`. */
  readonly environment: readonly string[];
}

type Answer<T> = { readonly ok: T } | { readonly error: string };

/** A unix socket's path has 107 bytes; through the directory's descriptor any path is short. */
function withShortPath<T>(path: string, use: (short: string) => T): T {
  const fd = openSync(dirname(path), 'r');
  try {
    return use(`/proc/self/fd/${fd}/${basename(path)}`);
  } finally {
    // Both bind and connect have read the path by now: libuv does them at the call.
    closeSync(fd);
  }
}

/** Answers one request a connection: JSON in, JSON out, each ended by the end of its direction. */
export function serveControl(
  path: string,
  answer: (request: ControlRequest) => Promise<unknown>,
): Disposable {
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    socket.on('error', () => {});
    let reply: Answer<unknown>;
    try {
      reply = { ok: await answer(JSON.parse(await text(socket)) as ControlRequest) };
    } catch (error) {
      reply = { error: errorMessage(error) };
    }
    socket.end(JSON.stringify(reply));
  });
  withShortPath(path, (short) => server.listen(short));
  return { [Symbol.dispose]: () => void server.close() };
}

/** @throws LabError when the lab does not answer, or answers with an error */
export async function askControl<T>(path: string, request: ControlRequest): Promise<T> {
  const socket = withShortPath(path, (short) => connect({ path: short, allowHalfOpen: true }));
  let reply: Answer<T>;
  try {
    socket.end(JSON.stringify(request));
    reply = JSON.parse(await text(socket)) as Answer<T>;
  } catch (cause) {
    throw new LabError(`the lab does not answer at ${path}`, { cause });
  }
  if ('error' in reply) throw new LabError(reply.error);
  return reply.ok;
}
