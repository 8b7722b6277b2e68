import { PODWAY } from './program.ts';
import { output } from './run.ts';

/** What `podway agent --probe` says: the mechanisms that cannot be had, each with why. */
export function lackingMechanisms(probe: string): ReadonlyMap<string, string> {
  const lacking = new Map<string, string>();
  let last = '';
  for (const line of probe.split('\n')) {
    const [, name = '', answer] = /^(\S+) +(yes|no)$/.exec(line) ?? [];
    if (answer !== undefined) last = name;
    if (answer === 'no') lacking.set(name, '');
    else if (lacking.has(last) && line.trim() !== '')
      lacking.set(last, `${lacking.get(last)}${lacking.get(last) === '' ? '' : '; '}${line.trim()}`);
  }
  return lacking;
}

/** The same of this machine, asked as a lab's agents would be: in a network of its own, as root of a user namespace if not of the machine. */
export async function mechanismsLackingHere(): Promise<ReadonlyMap<string, string>> {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const inNetwork = ['unshare', ...user, '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
  return lackingMechanisms(await output([...inNetwork, PODWAY, 'agent', '--probe']));
}
