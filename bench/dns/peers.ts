import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { indices, OUTSIDE, outsideName, PORTS, SERVICES, serviceAddress, serviceName } from './cluster.ts';

const run = promisify(execFile);

/** A server to start: its command, its further environment, and where it answers. */
export interface Peer {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly port: number;
  /** What it is asked to see whether it answers. */
  readonly knows: string;
}

const UNBOUND = `server:
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  so-rcvbuf: 4m
  do-not-query-localhost: no
  module-config: "iterator"
`;

/** Who knows the names outside, for all. */
export function upstream(directory: string): Peer {
  const data = indices(OUTSIDE, (i) => `  local-data: "${outsideName(i)}. 300 IN A 192.0.2.${i}"\n`).join('');
  const zone = `  local-zone: "example.com." static\n${data}`;
  return unboundWith(directory, 'upstream.conf', PORTS.upstream, zone, '', outsideName(0));
}

export function unbound(directory: string): Peer {
  const data = indices(
    SERVICES,
    (i) => `  local-data: "${serviceName(i)}. 5 IN A ${serviceAddress(i)}"\n`,
  ).join('');
  const forward = `forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@${PORTS.upstream}\n`;
  return unboundWith(
    directory,
    'unbound.conf',
    PORTS.unbound,
    `  local-zone: "cluster.local." static\n${data}`,
    forward,
    serviceName(0),
  );
}

function unboundWith(
  directory: string,
  file: string,
  port: number,
  zone: string,
  forward: string,
  knows: string,
): Peer {
  const path = join(directory, file);
  writeFileSync(
    path,
    `${UNBOUND}  interface: 127.0.0.1@${port}\n${zone}remote-control:\n  control-enable: no\n${forward}`,
  );
  return { command: 'unbound', args: ['-d', '-c', path], port, knows };
}

const COREDNS = 'github.com/coredns/coredns@v1.12.4';
const CACHE = resolve(import.meta.dirname, '../../.cache/bench');

/** Built by the Go toolchain when there is one, minutes at the first time; undefined without. It is a peer here, and nothing else. */
export async function coredns(
  directory: string,
  progress: (text: string) => void,
): Promise<Peer | undefined> {
  const command = join(CACHE, 'coredns');
  if (!existsSync(command)) {
    const go = await run('which', ['go']).catch(() => undefined);
    if (go === undefined) return undefined;
    progress(`building ${COREDNS}`);
    mkdirSync(CACHE, { recursive: true });
    await run('go', ['install', COREDNS], { env: { ...process.env, GOBIN: CACHE } });
  }
  const soa =
    '@ 5 IN SOA ns.dns hostmaster 1 7200 1800 86400 5\n@ 5 IN NS ns.dns\nns.dns 5 IN A 10.96.0.10\n';
  const data = indices(SERVICES, (i) => `${serviceName(i)}. 5 IN A ${serviceAddress(i)}\n`).join('');
  const zone = join(directory, 'cluster.local.zone');
  writeFileSync(zone, `$ORIGIN cluster.local.\n${soa}${data}`);
  const corefile = join(directory, 'Corefile');
  writeFileSync(
    corefile,
    `cluster.local:${PORTS.coredns} {\n  bind 127.0.0.1\n  file ${zone}\n  cache 5\n}\n` +
      `.:${PORTS.coredns} {\n  bind 127.0.0.1\n  forward . 127.0.0.1:${PORTS.upstream}\n  cache 30\n}\n`,
  );
  // One processor, as the others have one thread.
  return {
    command,
    args: ['-conf', corefile],
    environment: { GOMAXPROCS: '1' },
    port: PORTS.coredns,
    knows: serviceName(0),
  };
}
