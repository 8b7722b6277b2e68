/**
 * `podway`: the first word chooses the program, and only that program's code is loaded. The jobs of a lab (agent,
 * API server, supervisor) read their own flags; the commands for people are in `commands.ts`.
 */

const [first, ...others] = process.argv.slice(2);
// `podway help lab up` is `podway lab up --help`, whoever reads the flags.
const words = first === 'help' && others.length > 0 ? [...others, '--help'] : process.argv.slice(2);
const [word, ...rest] = words;
/** How this program is run: what the lab starts its own processes with. */
const program = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];

switch (word) {
  case 'agent': {
    const { runAgent } = await import('#agent');
    process.exitCode = await runAgent(rest);
    break;
  }
  case 'dns': {
    const { runDns } = await import('#dns');
    process.exitCode = await runDns(rest);
    break;
  }
  case 'builtin': {
    const { runBuiltin } = await import('#builtin');
    await runBuiltin(rest);
    break;
  }
  case 'lab-supervisor': {
    const { loadSupervisor } = await import('#lab');
    const { runLabSupervisor } = await loadSupervisor();
    process.exit(await runLabSupervisor(rest, program, process.env));
    break;
  }
  case 'apiserver': {
    const { runApiServer } = await import('#apiserver');
    await runApiServer(rest);
    break;
  }
  default: {
    const { runCommands } = await import('./commands.ts');
    process.exitCode = await runCommands(words, program);
  }
}
