import { Command } from 'commander';
import { labNames, summarizeLab } from '#lab';
import { errorMessage } from '#runtime';
import type { CommandContext } from '../context.ts';
import { examples } from '../examples.ts';
import { formatOutput, type OutputOption, outputOption } from '../output.ts';
import { formatLabList } from './output.ts';

/** `podway lab list` */
export function listCommand({ terminal }: CommandContext, labs: string): Command {
  return new Command('list')
    .description('all labs of this user')
    .addOption(outputOption('json', 'yaml', 'name', 'wide'))
    .addHelpText(
      'after',
      examples(
        ['podway lab list', ''],
        ['podway lab list -o name', 'for scripts'],
        ['podway lab list -o wide', 'with the kubeconfig of each'],
      ),
    )
    .action(async (options: OutputOption) => {
      const summaries = labNames(labs).flatMap((name) => {
        try {
          return summarizeLab(labs, name) ?? [];
        } catch (error) {
          // One that is damaged does not hide the others.
          terminal.err(`podway: ${errorMessage(error)}`);
          return [];
        }
      });
      const forPeople = options.output === undefined || options.output === 'wide';
      if (summaries.length === 0 && forPeople) return terminal.err('no labs; start one with: podway lab up');
      const names = summaries.map(({ name }) => name);
      if (options.output === 'name' && names.length === 0) return;
      const table = (wide: boolean) => formatLabList(summaries, wide, terminal.style, Date.now());
      terminal.out(await formatOutput(options.output, summaries, names, table));
    });
}
