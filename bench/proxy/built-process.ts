import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundle } from '../../tools/bundle.ts';

const DIRECTORY = resolve(import.meta.dirname, '../../.cache/bench');

/** The program of `mechanism-process.ts`, once it is built. */
export const MECHANISM_PROCESS = join(DIRECTORY, 'mechanism-process.js');

/**
 * Bundles it as the agent is: a relay's thread that strips the types of its sources has 0.2 s of processor time and 8 MiB for that, which
 * no user's agent has.
 */
export async function buildMechanismProcess(): Promise<void> {
  const files = await bundle({ 'mechanism-process': 'bench/proxy/mechanism-process.ts' }, DIRECTORY);
  rmSync(DIRECTORY, { recursive: true, force: true });
  mkdirSync(DIRECTORY, { recursive: true });
  for (const { path, contents } of files) writeFileSync(path, contents);
}
