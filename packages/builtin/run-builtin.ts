import { readFileSync } from 'node:fs';
import { InvalidInputError } from '#runtime';
import { parseFlags } from './flags.ts';
import { runHelloApp } from './hello-app.ts';
import { runConnect, runNetexec } from './netexec.ts';
import { runPorter } from './porter.ts';
import { dnsServers, dnsSuffixes } from './resolver-files.ts';
import { runServeHostname } from './serve-hostname.ts';

/**
 * `podway builtin NAME [ARG…]`: the servers that stand for images which the host has no command for.
 * @throws InvalidInputError for a name that there is none of
 */
export async function runBuiltin(argv: readonly string[]): Promise<void> {
  // Process 1 of a container has no default action for signals.
  process.on('SIGTERM', () => process.exit(0));
  process.on('SIGINT', () => process.exit(130));
  const [name = '', ...args] = argv;
  switch (name) {
    case 'hello-app':
      return await runHelloApp();
    case 'agnhost':
      return await runAgnhost(args);
    case 'pause':
      return pause();
    default:
      throw new InvalidInputError('builtin', name, 'expected hello-app, agnhost or pause');
  }
}

const AGNHOST_COMMANDS =
  'connect, dns-server-list, dns-suffix, etc-hosts, netexec, pause, porter, serve-hostname';

async function runAgnhost(argv: readonly string[]): Promise<void> {
  const [command = 'pause', ...args] = argv;
  const flags = parseFlags(args, ['http', 'tcp', 'udp', 'close']);
  switch (command) {
    case 'netexec':
      process.removeAllListeners('SIGTERM');
      return await runNetexec(flags);
    case 'serve-hostname':
      return await runServeHostname(flags);
    case 'connect':
      process.exitCode = await runConnect(flags);
      return;
    case 'porter':
      return await runPorter(process.env);
    case 'dns-suffix':
      process.stdout.write(dnsSuffixes(readFileSync('/etc/resolv.conf', 'utf8')));
      return;
    case 'dns-server-list':
      process.stdout.write(dnsServers(readFileSync('/etc/resolv.conf', 'utf8')));
      return;
    case 'etc-hosts':
      process.stdout.write(readFileSync('/etc/hosts', 'utf8'));
      return;
    case 'pause':
      process.stdout.write('Paused\n');
      return pause();
    case 'help':
    case '--help':
      process.stdout.write(`agnhost, Podway’s own: ${AGNHOST_COMMANDS}\n`);
      return;
    default:
      throw new InvalidInputError(
        'agnhost',
        command,
        `Podway has these of agnhost’s commands: ${AGNHOST_COMMANDS}`,
      );
  }
}

/** Does nothing until a signal comes. */
function pause(): void {
  setInterval(() => {}, 2 ** 31 - 1);
}
