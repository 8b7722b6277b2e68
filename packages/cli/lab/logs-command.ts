import { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { examples } from '../examples.ts';
import { existingLab } from './existing-lab.ts';
import { type NameOption, nameOption } from './name-option.ts';
import { showLogs } from './show-logs.ts';

/** `podway lab logs` */
export function logsCommand(context: CommandContext, labs: string): Command {
  const { terminal, environment } = context;
  return new Command('logs')
    .description("a node's logs (agent and kubelet), or those of apiserver or supervisor")
    .addOption(nameOption(environment))
    .argument('<node>', 'a node, apiserver or supervisor')
    .option('-f, --follow', 'go on with what comes')
    .addHelpText('after', examples(['podway lab logs node1', ''], ['podway lab logs -f apiserver', '']))
    .action(async (node: string, options: NameOption & { readonly follow?: boolean }) => {
      const paths = existingLab(labs, options.name);
      await showLogs(paths, node, options.follow === true ? context.interruption() : undefined, terminal);
    });
}
