/** Prints what a command says, line by line, each behind its time in milliseconds since the epoch. Arguments: seconds, the command's words. */
export const TIMED_LINES = `
  const [seconds, program, ...args] = process.argv.slice(1);
  const child = require('node:child_process').spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = require('node:readline').createInterface({ input: child.stdout });
  lines.on('line', (line) => console.log(Date.now() + ' ' + line));
  setTimeout(() => child.kill(), Number(seconds) * 1000);
`;
