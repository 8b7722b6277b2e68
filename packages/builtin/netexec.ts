import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { hostInUrl } from '#ip';
import type { Flags } from './flags.ts';
import { clientAddress, listenHttp } from './http-server.ts';

/** agnhost's netexec: an HTTP and a UDP server that tell who asks whom, for tests of networks. */
export async function runNetexec({ flags }: Flags): Promise<void> {
  const httpPort = Number(flags.get('http-port') ?? 8080);
  const udpPort = Number(flags.get('udp-port') ?? 8081);
  const delayShutdown = Number(flags.get('delay-shutdown') ?? 0);
  let ready = true;
  process.on('SIGTERM', () => {
    ready = false;
    setTimeout(() => process.exit(0), delayShutdown * 1000);
  });
  await Promise.all([
    listenHttp(httpPort, (request, response) => {
      answer(request, response, () => ready).catch((error: unknown) => {
        response.statusCode = 500;
        response.end(String(error));
      });
    }),
    listenUdp(udpPort),
  ]);
  process.stdout.write(`Started HTTP server on port ${httpPort}\nStarted UDP server on port ${udpPort}\n`);
}

/** @param isReady false once it was told to end */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  isReady: () => boolean,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://netexec');
  const query = new URLSearchParams(url.search);
  if (request.method === 'POST')
    for (const [name, value] of new URLSearchParams(await bodyOf(request))) query.append(name, value);
  process.stdout.write(
    `${request.method ?? ''} ${url.pathname}${url.search} from ${clientAddress(request)}\n`,
  );
  switch (url.pathname) {
    case '/hostname':
    case '/hostName':
      return void response.end(hostname());
    case '/clientip':
      return void response.end(clientAddress(request));
    case '/echo': {
      const code = Number(query.get('code') ?? 200);
      response.statusCode = Number.isInteger(code) && code >= 100 && code < 1000 ? code : 500;
      return void response.end(query.get('msg') ?? '');
    }
    case '/header':
      return void response.end(String(request.headers[(query.get('key') ?? '').toLowerCase()] ?? ''));
    case '/healthz':
      return void response.end('');
    case '/readyz':
      response.statusCode = isReady() ? 200 : 503;
      return void response.end('');
    case '/redirect':
      response.writeHead(Number(query.get('code') ?? 302), { location: query.get('location') ?? '/' });
      return void response.end();
    case '/shell':
    case '/shutdown':
    case '/exit':
      if (url.pathname !== '/shell') return exit(query, response);
      return json(response, await shell(query.get('shellCommand') ?? query.get('cmd') ?? ''));
    case '/dial':
      return json(response, await dial(query));
    case '/':
      return void response.end(`NOW: ${new Date().toISOString()}`);
    default:
      response.statusCode = 404;
      return void response.end('404 page not found\n');
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

function exit(query: URLSearchParams, response: ServerResponse): void {
  const code = Number(query.get('code') ?? 0);
  const seconds = Number(
    /^(\d+(?:\.\d+)?)s?$/.exec(query.get('wait') ?? query.get('timeout') ?? '0')?.[1] ?? 0,
  );
  response.end();
  setTimeout(() => process.exit(code), seconds * 1000 + 50);
}

function shell(command: string): Promise<{ output?: string; error?: string }> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer) => {
      output += String(chunk);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ error: error.message }));
    child.on('close', (code) =>
      resolve(code === 0 ? { output } : { output, error: `exit status ${code ?? 1}` }),
    );
  });
}

/** Asks another netexec `tries` times, by HTTP or UDP. */
async function dial(query: URLSearchParams): Promise<{ responses: string[]; errors?: string[] }> {
  const host = query.get('host') ?? '';
  const port = Number(query.get('port') ?? 80);
  const command = query.get('request') ?? 'hostname';
  const tries = Math.min(1000, Number(query.get('tries') ?? 1));
  const ask = query.get('protocol') === 'udp' ? askUdp : askHttp;
  const responses: string[] = [];
  const errors: string[] = [];
  for (let attempt = 0; attempt < tries; attempt++)
    await ask(host, port, command).then(
      (text) => responses.push(text),
      (error: unknown) => errors.push(String(error)),
    );
  return { responses, ...(errors.length === 0 ? {} : { errors }) };
}

const TIMEOUT_MS = 5_000;

function askHttp(host: string, port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host, port, path: `/${command}`, timeout: TIMEOUT_MS, agent: false },
      (response) => {
        bodyOf(response).then(resolve, reject);
      },
    );
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', reject);
    request.end();
  });
}

async function askUdp(host: string, port: number, command: string): Promise<string> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    return await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('timed out')), TIMEOUT_MS);
      socket.on('error', reject);
      socket.on('message', (message) => {
        clearTimeout(timer);
        resolve(String(message));
      });
      socket.send(command, port, address);
    });
  } finally {
    socket.close();
  }
}

/** One datagram, one answer: `hostname`, `clientip`, `echo TEXT`. */
export function udpAnswer(message: string, from: string): string {
  const text = message.trim();
  const [command = '', ...rest] = text.split(' ');
  switch (command.toLowerCase()) {
    case 'hostname':
      return hostname();
    case 'clientip':
      return from;
    case 'echo':
      return rest.join(' ');
    default:
      return text === '' ? '' : `unknown command: ${text}`;
  }
}

async function listenUdp(port: number): Promise<void> {
  const bind = (type: 'udp6' | 'udp4') =>
    new Promise<void>((resolve, reject) => {
      const socket = createSocket({ type, reuseAddr: true });
      socket.once('error', reject);
      socket.on('message', (message, { address, port: clientPort }) => {
        const host = address.replace(/^::ffff:/, '');
        const reply = udpAnswer(String(message), `${hostInUrl(host)}:${clientPort}`);
        if (reply !== '') socket.send(reply, clientPort, address);
      });
      socket.bind(port, () => resolve());
    });
  await bind('udp6').catch(() => bind('udp4'));
}

/** agnhost connect: exits 0 when a TCP connection, or a UDP answer, comes within the timeout. */
export async function runConnect({ flags, rest }: Flags): Promise<number> {
  const [target = ''] = rest;
  const at = target.lastIndexOf(':');
  const host = target.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(target.slice(at + 1));
  const timeout = Number(/^(\d+)/.exec(flags.get('timeout') ?? '1')?.[1] ?? 1) * 1000;
  if (flags.get('protocol') === 'udp')
    return await askUdp(host, port, 'hostname').then(
      () => 0,
      () => failConnect('TIMEOUT'),
    );
  return await new Promise((resolve) => {
    const socket = connect({ host, port, timeout });
    socket.on('connect', () => {
      socket.destroy();
      resolve(0);
    });
    socket.on('timeout', () => {
      socket.destroy();
      resolve(failConnect('TIMEOUT'));
    });
    socket.on('error', (error) => {
      const code = 'code' in error ? error.code : '';
      resolve(failConnect(code === 'ECONNREFUSED' ? 'REFUSED' : code === 'ENOTFOUND' ? 'DNS' : 'OTHER'));
    });
  });
}

function failConnect(reason: string): number {
  process.stderr.write(`${reason}\n`);
  return 1;
}
