import { Command } from 'commander';
import { labStatus, parseLabName } from '#lab';
import type { CommandContext } from '../context.ts';
import { examples } from '../examples.ts';
import { formatOutput, type OutputOption, outputOption } from '../output.ts';
import { type NameOption, nameOption } from './name-option.ts';
import { formatLabStatus } from './output.ts';

/** `podway lab status` */
export function statusCommand({ terminal, environment }: CommandContext, labs: string): Command {
  return new Command('status')
    .description('nodes, Pods and processes of a lab')
    .addOption(nameOption(environment))
    .addOption(outputOption('json', 'yaml', 'name', 'wide'))
    .addHelpText(
      'after',
      examples(['podway lab status', ''], ['podway lab status -o wide', 'with every process']),
    )
    .action(async (options: NameOption & OutputOption) => {
      const status = await labStatus(labs, parseLabName(options.name));
      const names = status.nodeStatus.map((node) => node.name);
      const table = (wide: boolean) => formatLabStatus(status, wide, terminal.style, Date.now());
      terminal.out(await formatOutput(options.output, status, names, table));
    });
}
