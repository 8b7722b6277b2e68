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
