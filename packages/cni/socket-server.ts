import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { type Clock, errorMessage, type Logger } from '#runtime';
import { CNI_CODES, CniError, errorResult } from './errors.ts';
import { decodeRequest, encodeOutcome, MAX_REQUEST_BYTES, type Outcome, type RequestFrame } from './frame.ts';
import { LATEST_CNI_VERSION } from './version.ts';

/** Milliseconds that a client may take to send its request. */
const REQUEST_TIMEOUT_MS = 10_000;

export interface CniServerDeps {
  readonly execute: (request: RequestFrame) => Promise<Outcome>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Serves CNI executions on a unix socket that only its owner may open. */
export class CniServer implements AsyncDisposable {
  readonly #deps: CniServerDeps;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(deps: CniServerDeps) {
    this.#deps = deps;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
  }

  /** Listens at `path`, in the place of a dead agent's socket if need be. */
  static async listen(deps: CniServerDeps, path: string): Promise<CniServer> {
    const server = new CniServer(deps);
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    rmSync(path, { force: true });
    // The mask keeps others out from the first moment: a socket is made with the mode that bind(2) gives it.
    const mask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once('error', reject);
        server.#server.listen(path, resolve);
      });
    } finally {
      process.umask(mask);
    }
    chmodSync(path, 0o600);
    return server;
  }

  /** Takes no new request, and ends when those under way are answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) if (!socket.readableEnded) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    const { clock, logger } = this.#deps;
    this.#sockets.add(socket);
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = clock.setTimer(REQUEST_TIMEOUT_MS, () => socket.destroy(), { unref: true });
    socket.on('data', (chunk) => {
      size += chunk.length;
      if (size <= MAX_REQUEST_BYTES) chunks.push(chunk);
      else if (size - chunk.length <= MAX_REQUEST_BYTES) this.#answer(socket, Promise.resolve(tooLarge()));
    });
    socket.on('end', () => {
      timer[Symbol.dispose]();
      if (size <= MAX_REQUEST_BYTES) this.#answer(socket, this.#execute(Buffer.concat(chunks)));
    });
    socket.on('error', (error) => logger.debug('CNI client went away', { error: errorMessage(error) }));
    socket.on('close', () => {
      timer[Symbol.dispose]();
      this.#sockets.delete(socket);
    });
  }

  async #execute(bytes: Uint8Array): Promise<Outcome> {
    let request: RequestFrame;
    try {
      request = decodeRequest(bytes);
    } catch (error) {
      if (error instanceof CniError) return failure(error);
      throw error;
    }
    return this.#deps.execute(request);
  }

  #answer(socket: Socket, outcome: Promise<Outcome>): void {
    outcome.then(
      (value) => socket.end(encodeOutcome(value)),
      (error) => {
        this.#deps.logger.error('CNI request failed unexpectedly', { error: errorMessage(error) });
        socket.destroy();
      },
    );
  }
}

function tooLarge(): Outcome {
  return failure(
    new CniError(CNI_CODES.undecodable, `standard input is larger than ${MAX_REQUEST_BYTES} bytes`),
  );
}

function failure(error: CniError): Outcome {
  return { exitStatus: 1, output: JSON.stringify(errorResult(error, LATEST_CNI_VERSION)) };
}
