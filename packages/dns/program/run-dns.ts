import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { ListenAddress } from '#ip';
import { parseIp } from '#ip';
import { ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES } from '#kube-api';
import { createInformer, createKubeClient, loadClientConfig } from '#kube-client';
import { errorMessage, InvalidInputError, type Logger, streamLogger, systemClock } from '#runtime';
import { parseHosts } from '../records/host-entries.ts';
import { createDnsServer, type DnsServer } from '../server/dns-server.ts';
import { takeInheritedSockets } from '../server/inherited-sockets.ts';
import { formatMetrics } from '../server/metrics.ts';
import { nodeResolvers } from './node-resolvers.ts';
import { DNS_HELP, type DnsProgramOptions, parseDnsOptions } from './options.ts';
import { slimNamespace, slimPod, slimService, slimSlice } from './slim.ts';

/** `podway dns`: runs until SIGTERM or SIGINT. @returns the exit status */
export async function runDns(args: readonly string[]): Promise<number> {
  try {
    const options = parseDnsOptions(args);
    if (options === undefined) process.stdout.write(DNS_HELP);
    else await run(options);
    return 0;
  } catch (error) {
    process.stderr.write(`podway dns: ${errorMessage(error)}\n`);
    return error instanceof InvalidInputError ? 2 : 1;
  }
}

async function run(options: DnsProgramOptions): Promise<void> {
  const logger = streamLogger(options.logLevel);
  const { promise: stopped, resolve: stop } = Promise.withResolvers<NodeJS.Signals>();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  const config = await loadClientConfig(options.kubeconfig);
  const node =
    options.resolvConf === undefined
      ? undefined
      : nodeResolvers(
          await readFile(options.resolvConf, 'utf8'),
          options.listen.map(({ address }) => parseIp(address)),
        );

  await using stack = new AsyncDisposableStack();
  const client = stack.use(createKubeClient(config, {}, { userAgent: 'podway-dns' }));
  const deps = { clock: systemClock, logger };
  const wantsPods = options.podRecords === 'verified' || options.autopath || options.queryLogRate > 0;
  const server = stack.use(
    await createDnsServer({
      services: stack.use(createInformer(client, SERVICES, { transform: slimService }, deps)),
      endpointSlices: stack.use(createInformer(client, ENDPOINT_SLICES, { transform: slimSlice }, deps)),
      namespaces: stack.use(createInformer(client, NAMESPACES, { transform: slimNamespace }, deps)),
      ...(wantsPods && { pods: stack.use(createInformer(client, PODS, { transform: slimPod }, deps)) }),
      listen: options.listen,
      inherited: takeInheritedSockets(process.env, process.pid),
      clusterDomain: options.clusterDomain,
      reversePrefixes: options.reversePrefixes,
      podRecords: options.podRecords,
      upstreams: [...options.upstreams, ...(node?.upstreams ?? [])],
      forwardPolicy: options.forwardPolicy,
      stubDomains: options.stubDomains,
      hosts: options.hosts === undefined ? [] : parseHosts(await readFile(options.hosts, 'utf8')),
      ...(options.autopath && { autopath: { furtherDomains: node?.searches ?? [] } }),
      ttl: options.ttl,
      transferTo: options.transferTo,
      queryLogRate: options.queryLogRate,
      logger,
    }),
  );
  if (options.pages !== undefined) stack.use(await servePages(options.pages, server, logger));
  logger.info('dns: ends', { signal: await stopped });
}

/** CoreDNS's pages under CoreDNS's paths. */
async function servePages(listen: ListenAddress, dns: DnsServer, logger: Logger): Promise<AsyncDisposable> {
  const pages: Readonly<Record<string, () => readonly [number, string]>> = {
    '/metrics': () => [200, formatMetrics(dns.collectMetrics())],
    '/health': () => [200, 'OK\n'],
    '/ready': () => (dns.isReady ? [200, 'OK\n'] : [503, 'the cluster is not listed yet\n']),
  };
  const server = createServer((request, response) => {
    const [status, body] = pages[request.url?.split('?')[0] ?? '']?.() ?? [404, 'not found\n'];
    response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.address, resolve);
  });
  logger.info('dns: /metrics /health /ready', { at: `${listen.address}:${listen.port}` });
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
