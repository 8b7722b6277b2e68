import { Command } from 'commander';
import { labsDirectory } from '#lab';
import type { CommandContext } from '../context.ts';
import { downCommand } from './down-command.ts';
import { execInLabCommand } from './exec-command.ts';
import { kubeconfigCommand } from './kubeconfig-command.ts';
import { kubectlCommand } from './kubectl-command.ts';
import { listCommand } from './list-command.ts';
import { logsCommand } from './logs-command.ts';
import { statusCommand } from './status-command.ts';
import { upCommand } from './up-command.ts';

/** `podway lab …`. */
export function labCommand(context: CommandContext): Command {
  const labs = labsDirectory(context.environment);
  const lab = new Command('lab')
    .enablePositionalOptions()
    .description('a whole cluster on this machine: nodes are network namespaces, Pods are processes');
  for (const command of [
    upCommand,
    statusCommand,
    listCommand,
    downCommand,
    execInLabCommand,
    kubectlCommand,
    kubeconfigCommand,
    logsCommand,
  ])
    lab.addCommand(command(context, labs));
  return lab;
}
