import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import {
  DEFAULT_LAB_OPTIONS,
  formatTopologyOperation,
  LAB_IP_FAMILIES,
  type LabOptions,
  labUp,
  POD_NETWORKS,
  PROXIES,
  parseLabName,
  parseNodeCount,
  planTopology,
} from '#lab';
import type { CommandContext } from '../context.ts';
import { examples } from '../examples.ts';
import { formatOutput, type OutputOption, outputOption } from '../output.ts';
import { type NameOption, nameOption } from './name-option.ts';
import { formatUp, upReport } from './output.ts';

interface UpOptions
  extends NameOption,
    OutputOption,
    Partial<Pick<LabOptions, 'nodes' | 'podNetwork' | 'proxy' | 'ipFamily'>> {
  readonly image: readonly string[];
  readonly images?: string;
  readonly dryRun?: boolean;
}

/** `podway lab up` */
export function upCommand(context: CommandContext, labs: string): Command {
  const { terminal, environment } = context;
  return new Command('up')
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
