import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { NetworkNamespace } from '#kernel';
import { errorMessage } from '#runtime';
import type { ProxyMechanism } from '#service-proxy';
import { LabError } from './errors.ts';

/**
 * Asks as a node's agent would, before any is restarted for nothing.
 * @param program the command that Podway is run by
 * @throws LabError that says what the machine lacks for the mechanism
 */
export async function requireMechanism(
  [command = '', ...entry]: readonly string[],
  netns: Pick<NetworkNamespace, 'run'>,
  mechanism: ProxyMechanism,
): Promise<void> {
  const probe = netns.run(() =>
    spawn(command, [...entry, 'agent', '--probe', '--proxy', mechanism], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const { promise: status, resolve, reject } = Promise.withResolvers<number | null>();
  probe.once('close', resolve).once('error', reject);
  const [said, complained] = await Promise.all([text(probe.stdout), text(probe.stderr)]);
  const found = await status.catch((error: unknown) => errorMessage(error));
  if (found !== 0)
    throw new LabError(
      `this machine cannot carry Services by ${mechanism}; nothing was changed:\n${said}${complained}`.trimEnd(),
    );
}
