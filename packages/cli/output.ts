import { Option } from 'commander';
import { formatYaml } from '#runtime';

/** What `-o` names: the whole value for programs, names for shells, or a wider table. */
export type OutputFormat = 'json' | 'yaml' | 'name' | 'wide';

export interface OutputOption {
  readonly output?: OutputFormat;
}

/** `-o FORMAT`; without it a table. */
export function outputOption(...formats: readonly OutputFormat[]): Option {
  return new Option('-o, --output <format>', 'how to print the result').choices(formats);
}

/** A result in one of its forms: `value` for programs, `names` a line each, else what `table` makes. */
export async function formatOutput(
  format: OutputFormat | undefined,
  value: unknown,
  names: readonly string[],
  table: (wide: boolean) => string,
): Promise<string> {
  switch (format) {
    case 'json':
      return JSON.stringify(value, undefined, 2);
    case 'yaml':
      return await formatYaml(value);
    case 'name':
      return names.join('\n');
    default:
      return table(format === 'wide');
  }
}
