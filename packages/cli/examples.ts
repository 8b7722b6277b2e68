/** The end of a command's help: each with what it is for, which may be ''. */
export function examples(...lines: readonly (readonly [command: string, comment: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  const format = ([command, comment]: readonly [string, string]) =>
    comment === '' ? `  ${command}` : `  ${command.padEnd(width)}   ${comment}`;
  return `\nExamples:\n${lines.map(format).join('\n')}`;
}
