import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { linuxKernel } from '#kernel';
import { errorMessage } from '#runtime';
import { vmFiles } from '../test/vm/files.ts';

/** Tests by what they need, told by a file's name. */
export const TIERS = ['pure', 'kernel', 'scenarios', 'ipvs'] as const;
export type Tier = (typeof TIERS)[number];

/** One command that runs tests. */
export interface Job {
  readonly name: string;
  /** Keeps all processors busy: nothing runs beside it. */
  readonly alone?: true;
  /** Runs in a virtual machine. */
  readonly inMachine?: true;
  /** Takes minutes and hardly a processor: it runs beside all others. */
  readonly waits?: true;
  /** @param report the file that gets a line a test, see `result-reporter.ts` */
  command(report: string, reporter: string): readonly string[];
}

export const root = resolve(import.meta.dirname, '..');

/** A test file's own network, mount and PID namespaces with a private /run: nothing it makes can outlive it or reach the host. */
const SANDBOX = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const PRIVATE_RUN = ['sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sandbox'];

/** IPVS forgets closed connections after minutes; in the virtual machine, waiting takes no time. */
const WAITING = 'test/scenarios/services-affinity.ipvs.test.ts';

/** Files that take minutes, the longest first: they begin before the others, so that none is left alone at the end. */
const LONG = [
  'test/scenarios/services-cluster-ip.ipvs.test.ts',
  'test/scenarios/services-policy.ipvs.test.ts',
  'test/scenarios/chaos.test.ts',
  'test/scenarios/services-node-port.ipvs.test.ts',
  'test/scenarios/lab.ipvs.test.ts',
  'test/scenarios/kubectl.test.ts',
  'packages/service-proxy/behaviour/iptables.kernel.test.ts',
];

/** A suite that is minutes in the virtual machine, where its kernel's tables are; and where else it is shown. */
const LEGACY_IPTABLES = 'packages/service-proxy/behaviour/iptables-legacy.ipvs.test.ts';
const LEGACY_IPTABLES_ELSEWHERE = 'iptables.kernel.test.ts shows it on this kernel';

const inVm = process.env['PODWAY_TEST_VM'] !== undefined;
const TEST_TIMEOUT_MS = 180_000;
/** The virtual machine is slow. */
const VM_TIMEOUT_MS = 3 * TEST_TIMEOUT_MS;

export function tierOf(file: string): Tier {
  if (file.endsWith('.ipvs.test.ts')) return 'ipvs';
  if (isScenario(file)) return 'scenarios';
  return file.endsWith('.kernel.test.ts') ? 'kernel' : 'pure';
}

const isScenario = (file: string) => file.startsWith('test/scenarios/');

/** The files as jobs, in the order to begin them in; and why those are left out that cannot run here, or need not. */
export async function jobsFor(
  files: readonly string[],
): Promise<{ readonly jobs: readonly Job[]; readonly skipped: ReadonlyMap<string, string> }> {
  const inTier = (tier: Tier) => files.filter((file) => tierOf(file) === tier);
  const { jobs: ipvs, skipped } = await ipvsJobs(inTier('ipvs'));
  const pure = inTier('pure');
  const jobs: readonly Job[] = [
    ...ipvs,
    ...inTier('scenarios').map((file) => fileJob(file)),
    ...(pure.length > 0 ? [pureJob(pure)] : []),
    ...inTier('kernel').map((file) => fileJob(file)),
  ];
  const rank = ({ name }: Job) => LONG.indexOf(name) + 1 || LONG.length + 1;
  return { jobs: jobs.toSorted((a, b) => rank(a) - rank(b)), skipped };
}

const pureJob = (files: readonly string[]): Job => ({
  name: 'pure',
  alone: true,
  command: (report, reporter) =>
    nodeTest(files, { report, reporter, concurrency: availableParallelism(), timeoutMs: TEST_TIMEOUT_MS }),
});

/** A scenario makes its labs on the host; any other file gets namespaces of its own. */
function fileJob(file: string): Job {
  const timeoutMs = inVm ? VM_TIMEOUT_MS : TEST_TIMEOUT_MS;
  const command = (report: string, reporter: string) => [
    ...(isScenario(file) ? [] : sandbox(process.getuid?.() === 0)),
    ...nodeTest([file], { report, reporter, timeoutMs }),
  ];
  return { name: file, command, ...(file === WAITING && { waits: true }) };
}

/** The same in a virtual machine of its own, where everyone is root. */
function vmJob(file: string): Job {
  const command = (report: string, reporter: string) => [
    ...[process.execPath, '--disable-warning=ExperimentalWarning', join(root, 'test/vm/run.ts'), '--'],
    ...(isScenario(file) ? [] : sandbox(true)),
    ...nodeTest([file], { report, reporter, timeoutMs: VM_TIMEOUT_MS }),
  ];
  return { name: file, command, inMachine: true };
}

function sandbox(asRoot: boolean): readonly string[] {
  return ['unshare', ...(asRoot ? [] : ['--user', '--map-root-user']), ...SANDBOX, ...PRIVATE_RUN];
}

interface NodeTestOptions {
  readonly report: string;
  readonly reporter: string;
  readonly concurrency?: number;
  readonly timeoutMs: number;
}

function nodeTest(files: readonly string[], options: NodeTestOptions): readonly string[] {
  return [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${options.concurrency ?? 1}`,
    `--test-timeout=${options.timeoutMs}`,
    `--test-reporter=${options.reporter}`,
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'tools/result-reporter.ts')}`,
    `--test-reporter-destination=${options.report}`,
    ...files,
  ];
}

/**
 * The tests that need ip_vs: on this kernel when it has that, else each file in a virtual machine. Where none can be set up they are
 * skipped.
 */
async function ipvsJobs(files: readonly string[]): ReturnType<typeof jobsFor> {
  const skipAll = (reason: string) => ({ jobs: [], skipped: new Map(files.map((file) => [file, reason])) });
  if (files.length === 0) return skipAll('');
  if (hasIpvs()) return { jobs: files.map((file) => fileJob(file)), skipped: new Map() };
  if (inVm) return skipAll("the virtual machine's kernel has no ip_vs");
  try {
    await vmFiles();
  } catch (error) {
    const why = errorMessage(error);
    return skipAll(`this kernel has no ip_vs for us, and no virtual machine could be set up: ${why}`);
  }
  // The labs inside run what is built here.
  if (files.some(isScenario))
    spawnSync(join(root, 'podway'), ['version'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const elsewhere = files.filter((file) => file === LEGACY_IPTABLES && hasLegacyIptables());
  return {
    jobs: files.filter((file) => !elsewhere.includes(file)).map((file) => vmJob(file)),
    skipped: new Map(elsewhere.map((file) => [file, LEGACY_IPTABLES_ELSEWHERE])),
  };
}

function hasIpvs(): boolean {
  using netns = linuxKernel().currentNetns();
  return netns.ipvs.available();
}

/** Whether this kernel has the tables of iptables-legacy, which newer ones may be built without. */
function hasLegacyIptables(): boolean {
  const [command = '', ...args] = [
    ...sandbox(process.getuid?.() === 0),
    ...['iptables-legacy', '-t', 'nat', '-S'],
  ];
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
