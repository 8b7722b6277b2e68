import { execFile } from 'node:child_process';
import type { NetworkNamespace } from '#kernel';
import type { ProxyMechanism } from '#service-proxy';
import { LabError } from './errors.ts';

/**
 * Asks as a node's agent would, before any is started with it for nothing.
 * @param program the command that Podway is run by
 * @throws LabError that says what the machine lacks for the mechanism, and which others it has
 */
export async function requireMechanism(
  program: readonly string[],
  netns: Pick<NetworkNamespace, 'run'>,
  mechanism: ProxyMechanism,
): Promise<void> {
  const { found } = await probe(program, netns, ['--proxy', mechanism]);
  if (found) return;
  const { said } = await probe(program, netns, []);
  throw new LabError(
    `this machine cannot carry Services by ${mechanism}; nothing was changed. It has:\n${said}`.trimEnd(),
  );
}

/** @returns whether all that was asked for is there, and what was said of it */
function probe(
  [command = '', ...entry]: readonly string[],
  netns: Pick<NetworkNamespace, 'run'>,
  flags: readonly string[],
): Promise<{ readonly found: boolean; readonly said: string }> {
  return new Promise((resolve) =>
    netns.run(() =>
      execFile(command, [...entry, 'agent', '--probe', ...flags], (error, stdout, stderr) =>
        resolve({ found: error === null, said: `${stdout}${stderr}` || `${error?.message}` }),
      ),
    ),
  );
}
