import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from '#runtime';
import { PLUGIN_TYPE } from './executable.ts';

/** What runtimes pass on in `runtimeConfig`. No `aliases`: Pods find each other by the cluster's DNS. */
const CAPABILITIES = { portMappings: true, bandwidth: true, ips: true, mac: true, dns: true };

/** Sorts before other plugins' files, as runtimes take the first. */
export const CONFLIST_NAME = '10-podway.conflist';

/**
 * The network configuration list that makes a container runtime call Podway. `cniVersion` is one that old runtimes
 * speak too; those that know `cniVersions` take the highest they can.
 */
export function conflist(): object {
  return {
    cniVersion: '0.4.0',
    cniVersions: ['0.4.0', '1.0.0', '1.1.0'],
    name: 'podway',
    plugins: [{ type: PLUGIN_TYPE, capabilities: CAPABILITIES }],
  };
}

/** Writes the list: its presence tells the runtime that the node can take Pods. @returns whether it changed */
export function writeConflist(dir: string): boolean {
  mkdirSync(dir, { recursive: true });
  return writeFileAtomically(join(dir, CONFLIST_NAME), `${JSON.stringify(conflist(), null, 2)}\n`, 0o644);
}

export function removeConflist(dir: string): void {
  rmSync(join(dir, CONFLIST_NAME), { force: true });
}
