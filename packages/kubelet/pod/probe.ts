import { type ClientRequest, request } from 'node:http';
import type { Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { hostInUrl, parseIp } from '#ip';
import { connectIn, type NetworkNamespace } from '#kernel';
import type { Container, HTTPGetAction, IntOrString, Probe } from '#kube-api';
import { type Clock, errorMessage } from '#runtime';

export type ProbeOutcome = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface ProbeTarget {
  readonly container: Container;
  readonly netns: NetworkNamespace;
  readonly podIp: string;
  readonly clock: Clock;
  /** Runs a command inside the container. */
  exec(
    argv: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
}

/** What a kubelet reads of an answer. */
const MAX_BODY = 10 * 1024;

/** Asks once. Never throws: what goes wrong is a failure of the probe. */
export async function runProbe(probe: Probe, target: ProbeTarget): Promise<ProbeOutcome> {
  const abort = new AbortController();
  const seconds = probe.timeoutSeconds ?? 1;
  const timer = target.clock.setTimer(seconds * 1000, () => abort.abort(new Error('timeout')));
  try {
    return await attempt(probe, target, abort.signal);
  } catch (error) {
    if (abort.signal.aborted) return { ok: false, message: timeoutMessage(probe, seconds) };
    return { ok: false, message: errorMessage(error) };
  } finally {
    timer[Symbol.dispose]();
  }
}

function timeoutMessage(probe: Probe, seconds: number): string {
  return probe.exec === undefined
    ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    : `command timed out after ${seconds}s`;
}

async function attempt(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome> {
  if (probe.exec !== undefined) {
    const { exitCode, output } = await target.exec(probe.exec.command ?? [], signal);
    if (signal.aborted) throw signal.reason;
    return exitCode === 0 ? { ok: true } : { ok: false, message: output };
  }
  if (probe.tcpSocket !== undefined) {
    const port = portNumber(probe.tcpSocket.port, target.container);
    const host = probe.tcpSocket.host || target.podIp;
    const socket = await connectIn(target.netns, parseIp(host), port, { signal });
    socket.destroy();
    return { ok: true };
  }
  if (probe.httpGet !== undefined) {
    const { status, body } = await httpGet(probe.httpGet, target, signal);
    return status >= 200 && status < 400
      ? { ok: true }
      : { ok: false, message: `HTTP probe failed with statuscode: ${status}${body === '' ? '' : ''}` };
  }
  return { ok: false, message: 'this lab runs exec, httpGet and tcpSocket probes only' };
}

/** Also the httpGet of lifecycle hooks. @throws when there is no answer */
export async function httpGet(
  action: HTTPGetAction,
  target: Pick<ProbeTarget, 'container' | 'netns' | 'podIp'>,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const port = portNumber(action.port, target.container);
  const host = action.host || target.podIp;
  const tcp = await connectIn(target.netns, parseIp(host), port, { signal });
  const socket: Socket =
    action.scheme === 'HTTPS' ? tlsConnect({ socket: tcp, rejectUnauthorized: false }) : tcp;
  const headers: Record<string, string> = {
    'user-agent': 'kube-probe/podway',
    accept: '*/*',
    connection: 'close',
  };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  headers['host'] ??= `${hostInUrl(host)}:${port}`;
  try {
    return await answerOf(
      request({
        createConnection: () => socket,
        method: 'GET',
        path: (action.path ?? '/').startsWith('/') ? (action.path ?? '/') : `/${action.path}`,
        headers,
        signal,
        setDefaultHeaders: false,
      }),
    );
  } finally {
    socket.destroy();
    tcp.destroy();
  }
}

function answerOf(outgoing: ClientRequest): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
        if (body.length > MAX_BODY) response.destroy();
      });
      response.on('error', () => {});
      response.on('close', () =>
        resolve({ status: response.statusCode ?? 0, body: body.slice(0, MAX_BODY) }),
      );
    });
    outgoing.end();
  });
}

/** A port by number, or by its name in the container. */
function portNumber(port: IntOrString, container: Container): number {
  const number = typeof port === 'number' ? port : Number(port);
  if (Number.isInteger(number)) return number;
  const found = container.ports?.find(({ name }) => name === port);
  if (found === undefined) throw new Error(`couldn't find port: ${port} in ${container.name}`);
  return found.containerPort;
}
