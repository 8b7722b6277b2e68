import { Command } from 'commander';
import { execCommand, parseLabName } from '#lab';
import type { CommandContext } from '../context.ts';
import { examples } from '../examples.ts';
import { runInPlace } from '../run-in-place.ts';
import { type NameOption, nameOption } from './name-option.ts';

interface ExecOptions extends NameOption {
  readonly namespace?: string;
  readonly container?: string;
}

/** `podway lab exec` */
export function execInLabCommand({ environment }: CommandContext, labs: string): Command {
  return new Command('exec')
    .description(
      "run a command in a node's network, in `router`, in `outside`, or in a Pod (with -n, or by its name)",
    )
    .addOption(nameOption(environment))
    .option('-n, --namespace <namespace>', "the Pod's namespace")
    .option('-c, --container <container>', 'which of its containers')
    .argument('<target>', 'a node, router, outside, or a Pod')
    .argument('[command...]', 'after --; a shell unless told')
    .passThroughOptions()
    .addHelpText(
      'after',
      examples(
        ['podway lab exec node1 -- ip route', "a node's routes"],
        ['podway lab exec node2 -- nft list table ip podway', 'its Service rules'],
        ['podway lab exec -n default my-pod -- sh', 'a shell inside a Pod'],
        ['podway lab exec outside -- curl http://172.30.0.11:30080/', 'a client outside the cluster'],
      ),
    )
    .action(async (target: string, command: readonly string[], options: ExecOptions) => {
      const words = command[0] === '--' ? command.slice(1) : command;
      const line = await execCommand(
        labs,
        parseLabName(options.name),
        {
          target,
          namespace: options.namespace,
          container: options.container,
          terminal: process.stdin.isTTY === true && process.stdout.isTTY === true,
        },
        words.length === 0 ? ['sh'] : words,
      );
      runInPlace(line, environment, 'install util-linux');
    });
}
