import assert from 'node:assert/strict';
import type { TestLab } from './lab.ts';
import { retry } from './retry.ts';

/** Command lines of a lab's own processes, for pgrep(1): of node1's agent, and of those that each lab has one of. */
export const AGENT = '^[^ ]*node .*podway[^ ]* agent --node-name node1 ';
export const API_SERVER = '^[^ ]*node .*podway[^ ]* apiserver ';
export const SUPERVISOR = '^[^ ]*node .*podway[^ ]* lab-supervisor';

/** The one process of the lab whose command line matches: its PID in there. */
export async function pidOf(lab: TestLab, pattern: string): Promise<string> {
  const pids = (await lab.exec('router', 'pgrep', '-f', pattern)).trim().split('\n');
  assert.equal(pids.length, 1, `${pattern}: ${pids.join(' ')}`);
  return pids[0] ?? '';
}

/** Kills it with -9 and waits for the one that the lab starts instead. */
export async function killProcess(
  lab: TestLab,
  pattern: string,
  meanwhile: () => Promise<void> = async () => {},
): Promise<void> {
  const pid = await pidOf(lab, pattern);
  await lab.exec('router', 'kill', '-9', pid);
  await meanwhile();
  await retry(async () => assert.notEqual(await pidOf(lab, pattern), pid));
}
