import { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { examples } from '../examples.ts';
import { runInPlace } from '../run-in-place.ts';
import { existingLab } from './existing-lab.ts';
import { type NameOption, nameOption } from './name-option.ts';

/** `podway lab kubectl` */
export function kubectlCommand({ environment }: CommandContext, labs: string): Command {
  return new Command('kubectl')
    .description("the machine's kubectl, on this lab")
    .addOption(nameOption(environment))
    .argument('[arguments...]', 'after --')
    .passThroughOptions()
    .addHelpText(
      'after',
      examples(
        ['podway lab kubectl -- get pods -A -o wide', ''],
        ['podway lab kubectl -- apply -f examples/my-nginx.yaml', ''],
      ),
    )
    .action((words: readonly string[], options: NameOption) => {
      const { kubeconfig } = existingLab(labs, options.name);
      const args = words[0] === '--' ? words.slice(1) : words;
      runInPlace(
        ['kubectl', ...args],
        { ...environment, KUBECONFIG: kubeconfig },
        'install it (on Debian: apt-get install kubernetes-client), or use any client with the file that podway lab kubeconfig names',
      );
    });
}
