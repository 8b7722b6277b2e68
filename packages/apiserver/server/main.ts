import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { InvalidInputError, streamLogger } from '#runtime';
import { startApiServer } from './api-server.ts';
import type { ApiServerOptions, Listen } from './options.ts';

/** `podway apiserver`: serves until SIGTERM or SIGINT. @throws InvalidInputError */
export async function runApiServer(argv: readonly string[]): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  await using _server = await startApiServer(parseApiServerOptions(argv));
  await stopped;
}

/** The command line as options; the named files are read. @throws InvalidInputError naming the flag */
export function parseApiServerOptions(argv: readonly string[]): ApiServerOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      'advertise-address': { type: 'string' },
      'advertise-port': { type: 'string', default: '6443' },
      'client-ca': { type: 'string' },
      'cluster-cidr': { type: 'string', multiple: true, default: [] },
      'cluster-dns': { type: 'string' },
      'data-dir': { type: 'string' },
      'kubelet-socket': { type: 'string' },
      listen: { type: 'string', multiple: true, default: [] },
      'listen-fd': { type: 'string', multiple: true, default: [] },
      'no-controllers': { type: 'boolean', default: false },
      'node-cidr-mask-size': { type: 'string', multiple: true, default: [] },
      'service-cidr': { type: 'string', multiple: true, default: [] },
      'tls-cert': { type: 'string' },
      'tls-key': { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const advertised = values['advertise-address'];
  const listen: Listen[] = [
    ...values['listen-fd'].map((text) => ({ fd: whole('--listen-fd', text) })),
    ...values.listen.map(parseListen),
  ];
  if (listen.length === 0)
    throw new InvalidInputError('--listen', '', 'give --listen ADDRESS:PORT or --listen-fd N');
  return {
    stateDir: required('--data-dir', values['data-dir']),
    listen,
    tls: {
      certificate: readPem('--tls-cert', values['tls-cert']),
      key: readPem('--tls-key', values['tls-key']),
      clientAuthority: readPem('--client-ca', values['client-ca']),
    },
    ...(advertised !== undefined && {
      advertise: { address: advertised, port: whole('--advertise-port', values['advertise-port']) },
    }),
    serviceCidrs: values['service-cidr'],
    podCidrs: values['cluster-cidr'],
    nodeCidrMaskSizes: values['node-cidr-mask-size'].map((text) => whole('--node-cidr-mask-size', text)),
    ...(values['cluster-dns'] !== undefined && { clusterDns: values['cluster-dns'] }),
    ...(values['kubelet-socket'] !== undefined && { kubeletSocket: values['kubelet-socket'] }),
    controllers: !values['no-controllers'],
    logger: streamLogger(values.verbose ? 'debug' : 'info'),
  };
}

function required(flag: string, value: string | undefined): string {
  if (value === undefined) throw new InvalidInputError(flag, '', 'is required');
  return value;
}

function readPem(flag: string, path: string | undefined): string {
  try {
    return readFileSync(required(flag, path), 'utf8');
  } catch (error) {
    if (error instanceof InvalidInputError) throw error;
    throw new InvalidInputError(flag, path, 'cannot be read');
  }
}

function whole(flag: string, text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidInputError(flag, text, 'must be a whole number');
  return Number(text);
}

function parseListen(text: string): Listen {
  const match = /^(?:\[([0-9a-f:]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text);
  if (match === null)
    throw new InvalidInputError('--listen', text, 'must be ADDRESS:PORT, as in 127.0.0.1:6443');
  return { address: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}
