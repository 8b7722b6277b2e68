import { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { examples } from '../examples.ts';
import { existingLab } from './existing-lab.ts';
import { type NameOption, nameOption } from './name-option.ts';

/** `podway lab kubeconfig` */
export function kubeconfigCommand({ terminal, environment }: CommandContext, labs: string): Command {
  return new Command('kubeconfig')
    .description("print the path of the lab's kubeconfig")
    .addOption(nameOption(environment))
    .addHelpText('after', examples(['export KUBECONFIG=$(podway lab kubeconfig)', 'for this shell']))
    .action((options: NameOption) => terminal.out(existingLab(labs, options.name).kubeconfig));
}
