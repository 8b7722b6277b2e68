import type { IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { seededRandom, silentLogger, systemClock } from '#runtime';
import { type ApiServer, startApiServer } from '../server/api-server.ts';
import type { ApiServerOptions } from '../server/options.ts';
import { testAdmin, testTls } from './pki.ts';
import { temporaryDirectory } from './registry.ts';

export interface TestServer extends AsyncDisposable {
  readonly server: ApiServer;
  readonly port: number;
  call(method: string, path: string, options?: CallOptions): Promise<CallResult>;
  /** Without a certificate. */
  callAnonymously(
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<CallResult>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CallResult {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Parsed; undefined when the body is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
}

/** A server on a loopback port, without controllers. */
export async function startTestServer(options: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  const directory = temporaryDirectory();
  const server = await startApiServer({
    stateDir: directory.path,
    listen: [{ address: '127.0.0.1', port: 0 }],
    tls: testTls,
    serviceCidrs: ['10.96.0.0/16'],
    podCidrs: ['10.244.0.0/16'],
    advertise: { address: '172.30.0.1', port: 6443 },
    logger: silentLogger,
    clock: systemClock,
    random: seededRandom(1),
    ...options,
  });
  const port = server.addresses[0]?.port ?? 0;
  const credentials = { cert: testAdmin.certificate, key: testAdmin.key };
  return {
    server,
    port,
    call: (method, path, { body, headers } = {}) => {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      return call(port, method, path, credentials, text, headers);
    },
    callAnonymously: (method, path, headers, body) => call(port, method, path, {}, body, headers),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

function call(
  port: number,
  method: string,
  path: string,
  credentials: object,
  body: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<CallResult> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        ca: testTls.clientAuthority,
        agent: false,
        ...credentials,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type']?.includes('json') === true;
          resolve({
            code: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: isJson && !text.includes('}\n{') ? JSON.parse(text) : undefined,
          });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
