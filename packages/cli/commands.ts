import { Argument, Command, CommanderError } from 'commander';
import { processStartedAt } from '#lab';
import { errorMessage, InvalidInputError } from '#runtime';
import { completionScript, SHELLS, type Shell } from './completion.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { createInterruption, InterruptedError } from './interruption.ts';
import { labCommand } from './lab/lab-command.ts';
import { formatOutput, type OutputOption, outputOption } from './output.ts';
import { createTerminal, type Terminal } from './terminal.ts';
import { version } from './version.ts';

/** Runs the commands for people. @returns the exit status */
export async function runCommands(args: readonly string[], program: readonly string[]): Promise<number> {
  const terminal = createTerminal(process.env);
  const interruption = createInterruption();
  try {
    const context: CommandContext = {
      terminal,
      environment: process.env,
      program,
      startedAt: takeStartedAt(process.env),
      interruption,
    };
    await createProgram(context).parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return report(error, terminal);
  }
}

/**
 * When the command began: after the launcher's set-up if there was any, else when the launcher became this process. Takes what the launcher
 * told out of the environment: a command that this one runs begins later.
 */
export function takeStartedAt(environment: NodeJS.ProcessEnv): number {
  const told = environment['PODWAY_STARTED_MS'];
  delete environment['PODWAY_STARTED_MS'];
  return told !== undefined && /^\d{13}$/.test(told) ? Number(told) : processStartedAt(Date.now());
}

/** All commands, their help included. */
export function createProgram(context: CommandContext): Command {
  const { terminal } = context;
  const podway = new Command('podway')
    .description(
      'A complete Kubernetes network: Pod network, Services, DNS, and a lab that runs it all on this machine.',
    )
    .helpCommand('help [command]', 'what a command does, with examples')
    .version(`podway ${version()} (Node ${process.version})`, '-V, --version', 'print the version')
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .exitOverride()
    .addHelpText(
      'after',
      `
Start here:
  podway demo                        a tour: three nodes, nginx, redis, Services and DNS, in a few seconds
  podway lab up                      a cluster of three nodes, to use with kubectl
  podway lab kubectl -- get nodes
  podway lab down`,
    );
  podway.addCommand(labCommand(context));
  podway
    .command('demo')
    .description(
      'start a lab, run the Kubernetes examples in it, show how packets and names get around, clean up',
    )
    .option('--keep', 'leave the lab running at the end')
    .action(async (options: { readonly keep?: boolean }) => {
      const { runDemo } = await import('./demo/demo.ts');
      process.exitCode = await runDemo(context, { keep: options.keep === true });
    });
  podway
    .command('agent')
    .description('run the network of one node; see podway agent --help')
    .helpOption(false);
  podway
    .command('dns')
    .description('answer the names of a cluster, without the rest of the agent; see podway dns --help')
    .helpOption(false);
  podway
    .command('test')
    .description('run the tests: ./podway test [pure|kernel|scenarios …] [FILE …]')
    .helpOption(false)
    .allowUnknownOption()
    .action(() => terminal.err('the tests are run from a checkout: ./podway test'));
  podway
    .command('version')
    .description('print the version')
    .addOption(outputOption('json', 'yaml'))
    .action(async (options: OutputOption) => {
      const facts = { podway: version(), node: process.version };
      const line = () => `podway ${facts.podway} (Node ${facts.node})`;
      terminal.out(await formatOutput(options.output, facts, [], line));
    });
  podway
    .command('completion')
    .description(`print the shell completion for ${SHELLS.join(', ')}`)
    .addArgument(new Argument('<shell>', 'whose').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  source <(podway completion bash)
  podway completion zsh > "\${fpath[1]}/_podway"
  podway completion fish > ~/.config/fish/completions/podway.fish`,
    )
    .action(async (shell: Shell) => {
      const [{ AGENT_HELP }, { DNS_HELP }] = await Promise.all([import('#agent'), import('#dns')]);
      const flags = { agent: flagsOf(AGENT_HELP), dns: flagsOf(DNS_HELP) };
      terminal.out(completionScript(shell, podway, flags));
    });
  return inherit(podway);
}

/** Subcommands report errors as the program does, each with the way to its own help. */
function inherit(command: Command, path: readonly string[] = [command.name()]): Command {
  command.showHelpAfterError(`see: ${path.join(' ')} --help`);
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inherit(child, [...path, child.name()]);
  }
  return command;
}

/** As a help text names them. */
function flagsOf(help: string): readonly string[] {
  return [...new Set(help.match(/--[a-z][a-z-]+/g))];
}

function report(error: unknown, terminal: Terminal): number {
  // Commander has said its part already; help that was asked for is no failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof InterruptedError) {
    terminal.err(`podway: ${error.message}`);
    return EXIT.interrupted;
  }
  terminal.err(`podway: ${errorMessage(error)}`);
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause))
    terminal.err(`  because: ${errorMessage(cause)}`);
  return error instanceof InvalidInputError ? EXIT.usage : EXIT.failed;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
