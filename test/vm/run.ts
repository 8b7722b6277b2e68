/**
 * Runs a command in a virtual machine whose kernel has IPVS: user-mode-linux, an ordinary process without privileges.
 *
 *   node test/vm/run.ts [--memory MIB] -- COMMAND [ARG …]
 *
 * The host's files are visible inside; this checkout and the directory for temporary files are writable too, /run is private. There is no
 * network but the loopback device. Standard error joins standard output, standard input is empty. The exit status is the
 * command's; 125 when the machine could not be set up or ended without one, and then its log is shown.
 */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { errorMessage } from '#runtime';
import { type VmFiles, vmFiles } from './files.ts';
import { preloadLibrary } from './preload.ts';

const root = resolve(import.meta.dirname, '../..');
const FAILED = 125;
/** Whoever is an ordinary user here is root inside. */
const GUEST_ENVIRONMENT = {
  PODWAY_TEST_VM: '1',
  PATH: `${process.env['PATH']}:/usr/local/sbin:/usr/sbin:/sbin`,
};

async function boot(files: VmFiles, command: readonly string[], memoryMib: number): Promise<number> {
  const own = mkdtempSync(join(tmpdir(), 'podway-vm-'));
  try {
    copyFileSync(join(import.meta.dirname, 'guest.sh'), join(own, 'guest.sh'));
    writeFileSync(join(own, 'writable'), `${tmpdir()}\n${root}\n`);
    writeFileSync(join(own, 'tools'), `${files.modprobe}\n${files.busybox}\n`);
    const status = join(own, 'status');
    const words = [
      ...Object.entries({ ...process.env, ...GUEST_ENVIRONMENT }).map(([name, value]) => `${name}=${value}`),
      ...['sh', '-c', 'cd "$1" || exit; status=$2; shift 2; "$@"; echo $? >"$status"'],
      ...['command', process.cwd(), status, ...command],
    ];
    writeFileSync(join(own, 'command'), words.map((word) => `${word}\0`).join(''));
    const log = openSync(join(own, 'log'), 'w');
    const machine = spawn(
      'setpriv',
      [
        // It leaves this process group; and hung, it answers no other signal.
        ...['--pdeathsig', 'KILL', files.kernel],
        ...[`mem=${memoryMib}M`, 'rootfstype=hostfs', 'root=98:0', 'rw', 'quiet', 'panic=-1'],
        ...[`init=${join(own, 'guest.sh')}`, `uml_dir=${own}`, 'umid=vm'],
        // The console goes to the log, the serial line to this program's standard output.
        ...['con=null', 'con0=null,fd:4', 'ssl=null', 'ssl0=null,fd:3'],
      ],
      {
        stdio: ['ignore', log, log, 1, log],
        env: { ...process.env, LD_PRELOAD: await preloadLibrary(own), TMPDIR: placeForMemory(memoryMib) },
      },
    );
    // The machine ends first, so that what it wrote can be cleaned up.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => machine.kill('SIGKILL'));
    const end = await new Promise<string>((done, fail) => {
      machine.once('error', fail);
      machine.once('exit', (code, signal) => done(String(code ?? signal)));
    });
    const answer = readOptional(status);
    if (answer !== undefined) return Number(answer);
    process.stderr.write(`the virtual machine ended (${end}) before its command did; its log:\n`);
    process.stderr.write((readOptional(join(own, 'log')) ?? '').split('\n').slice(-40).join('\n'));
    return FAILED;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** The machine's memory is a file that is mapped executable: better not on a disk. */
function placeForMemory(memoryMib: number): string {
  const shared = '/dev/shm';
  const { bavail, bsize } = statfsSync(shared);
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[1] === shared);
  const executable = mount !== undefined && !mount.split(' ')[3]?.split(',').includes('noexec');
  return executable && bavail * bsize > memoryMib * 2 ** 20 ? shared : tmpdir();
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const { values, positionals } = parseArgs({
  options: { memory: { type: 'string', default: '2048' } },
  allowPositionals: true,
});
try {
  process.exitCode = await boot(await vmFiles(), positionals, Number(values.memory));
} catch (error) {
  process.stderr.write(`${errorMessage(error)}\n`);
  process.exitCode = FAILED;
}
