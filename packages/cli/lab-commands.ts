import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import {
  DEFAULT_LAB_NAME,
  DEFAULT_LAB_OPTIONS,
  execCommand,
  formatTopologyOperation,
  LAB_IP_FAMILIES,
  type LabOptions,
  type LabPaths,
  labDown,
  labNames,
  labPaths,
  labStatus,
  labsDirectory,
  labUp,
  noSuchLab,
  POD_NETWORKS,
  PROXIES,
  parseLabName,
  parseNodeCount,
  planTopology,
  summarizeLab,
} from '#lab';
import { errorMessage, InvalidInputError } from '#runtime';
import type { CommandContext } from './context.ts';
import { showLogs } from './lab-logs.ts';
import { formatLabList, formatLabStatus, formatUp, upReport } from './lab-output.ts';
import { formatOutput, type OutputFormat, outputOption } from './output.ts';
import { runInPlace } from './run-in-place.ts';

interface NameOption {
  readonly name: string;
}
interface OutputOption {
  readonly output?: OutputFormat;
}
interface UpOptions
  extends NameOption,
    OutputOption,
    Partial<Pick<LabOptions, 'nodes' | 'podNetwork' | 'proxy' | 'ipFamily'>> {
  readonly image: readonly string[];
  readonly images?: string;
  readonly dryRun?: boolean;
}

/** `podway lab …`. */
export function labCommand(context: CommandContext): Command {
  const { terminal, environment } = context;
  const labs = labsDirectory(environment);
  const lab = new Command('lab')
    .enablePositionalOptions()
    .description('a whole cluster on this machine: nodes are network namespaces, Pods are processes');

  lab
    .command('up')
    .description(
      'start a lab, or a stopped one again with its stored objects; have a running one carry Services by another --proxy',
    )
    .addOption(nameOption(environment))
    .option('--nodes <count>', `how many nodes (default: ${DEFAULT_LAB_OPTIONS.nodes})`, parseNodeCount)
    .addOption(
      shapeOption('--pod-network <backend>', 'how Pods reach other nodes', 'podNetwork', POD_NETWORKS),
    )
    .addOption(shapeOption('--proxy <mechanism>', 'what carries Services', 'proxy', PROXIES))
    .addOption(shapeOption('--ip-family <family>', 'addresses', 'ipFamily', LAB_IP_FAMILIES))
    .addOption(
      new Option('--image <image=command>', 'run this command of the machine for an image; may be repeated')
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--images <file>', 'a file of such lines', (file) => resolve(file))
    .option('--dry-run', 'print the network that would be made, as ip commands, and do nothing')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText(
      'after',
      examples(
        ['podway lab up', 'three nodes'],
        ['podway lab up --name big --nodes 20', 'a second lab beside it'],
        ['podway lab up --image example.com/web=/usr/bin/my-server', 'Pods of that image run this command'],
        ['podway lab up --name six --ip-family dual', 'Pods and nodes with IPv4 and IPv6 addresses'],
        ['podway lab up --proxy iptables', 'Services by iptables; while it runs: switched, node by node'],
        ['podway lab up -o json | jq -r .kubeconfig', 'for scripts'],
      ),
    )
    .action(async (options: UpOptions) => {
      const name = parseLabName(options.name);
      const asked = labOptions(options);
      if (options.dryRun) {
        const plan = planTopology({ ...DEFAULT_LAB_OPTIONS, ...asked });
        terminal.out(plan.map(formatTopologyOperation).join('\n'));
        return;
      }
      const up = await labUp({
        labs,
        name,
        options: asked,
        program: context.program,
        environment,
        startedAt: context.startedAt,
        onMark: ({ part, at }) => terminal.progress(`${(at / 1000).toFixed(2)} s  ${part}`),
        signal: context.interruption(),
      });
      terminal.progress('');
      if (up.dnsMilliseconds === null)
        terminal.err(`podway: DNS did not answer in a Pod; see: podway lab logs supervisor --name ${name}`);
      terminal.out(
        await formatOutput(options.output, upReport(up), [name], () => formatUp(up, terminal.style)),
      );
    });

  lab
    .command('status')
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

  lab
    .command('list')
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

  lab
    .command('down')
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

  lab
    .command('exec')
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
    .action(
      async (
        target: string,
        command: readonly string[],
        options: NameOption & { readonly namespace?: string; readonly container?: string },
      ) => {
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
      },
    );

  lab
    .command('kubectl')
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
      const { kubeconfig } = existing(labs, options.name);
      const args = words[0] === '--' ? words.slice(1) : words;
      runInPlace(
        ['kubectl', ...args],
        { ...environment, KUBECONFIG: kubeconfig },
        'install it (on Debian: apt-get install kubernetes-client), or use any client with the file that podway lab kubeconfig names',
      );
    });

  lab
    .command('kubeconfig')
    .description("print the path of the lab's kubeconfig")
    .addOption(nameOption(environment))
    .addHelpText('after', examples(['export KUBECONFIG=$(podway lab kubeconfig)', 'for this shell']))
    .action((options: NameOption) => terminal.out(existing(labs, options.name).kubeconfig));

  lab
    .command('logs')
    .description("a node's logs (agent and kubelet), or those of apiserver or supervisor")
    .addOption(nameOption(environment))
    .argument('<node>', 'a node, apiserver or supervisor')
    .option('-f, --follow', 'go on with what comes')
    .addHelpText('after', examples(['podway lab logs node1', ''], ['podway lab logs -f apiserver', '']))
    .action(async (node: string, options: NameOption & { readonly follow?: boolean }) => {
      const paths = existing(labs, options.name);
      await showLogs(paths, node, options.follow === true ? context.interruption() : undefined, terminal);
    });

  return lab;
}

function nameOption(environment: NodeJS.ProcessEnv): Option {
  let given = false;
  return new Option('--name <name>', 'which lab; PODWAY_LAB names it, too')
    .default(environment['PODWAY_LAB'] || DEFAULT_LAB_NAME)
    .argParser((name: string) => {
      // The last of two would win, and nobody be told.
      if (given)
        throw new InvalidInputError('--name', name, 'is given a second time; one command is for one lab');
      given = true;
      return name;
    });
}

/** What a lab is made of: without the flag as stored, or for a new one by default. */
function shapeOption(
  flag: string,
  what: string,
  field: 'podNetwork' | 'proxy' | 'ipFamily',
  choices: readonly string[],
): Option {
  return new Option(flag, `${what} (default: ${DEFAULT_LAB_OPTIONS[field]})`).choices(choices);
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function labOptions(options: UpOptions): Partial<LabOptions> {
  return {
    ...(options.nodes !== undefined && { nodes: options.nodes }),
    ...(options.podNetwork !== undefined && { podNetwork: options.podNetwork }),
    ...(options.proxy !== undefined && { proxy: options.proxy }),
    ...(options.ipFamily !== undefined && { ipFamily: options.ipFamily }),
    ...(options.image.length > 0 && { images: options.image }),
    ...(options.images !== undefined && { imagesFile: options.images }),
  };
}

function existing(labs: string, name: string): LabPaths {
  const parsed = parseLabName(name);
  if (summarizeLab(labs, parsed) === undefined) throw noSuchLab(labs, parsed);
  return labPaths(labs, parsed);
}

function examples(...lines: readonly (readonly [command: string, comment: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  const format = ([command, comment]: readonly [string, string]) =>
    comment === '' ? `  ${command}` : `  ${command.padEnd(width)}   ${comment}`;
  return `\nExamples:\n${lines.map(format).join('\n')}`;
}
