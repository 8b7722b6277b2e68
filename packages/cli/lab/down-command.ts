import { Command } from 'commander';
import { labDown, labNames, noSuchLab, parseLabName } from '#lab';
import type { CommandContext } from '../context.ts';
import { examples } from '../examples.ts';
import { type NameOption, nameOption } from './name-option.ts';

/** `podway lab down` */
export function downCommand({ terminal, environment }: CommandContext, labs: string): Command {
  return new Command('down')
    .description('end a lab and remove all of it')
    .addOption(nameOption(environment))
    .option('--all', 'every lab of this user')
    .addHelpText('after', examples(['podway lab down', ''], ['podway lab down --all', '']))
    .action((options: NameOption & { readonly all?: boolean }) => {
      const names = options.all ? labNames(labs) : [parseLabName(options.name)];
      for (const name of names) {
        if (!labDown(labs, name)) throw noSuchLab(labs, name);
        terminal.err(`lab ${name} is gone`);
      }
    });
}
