/**
 * How long a lab takes from the user's command to all nodes Ready and to the first DNS answer in a Pod, and what the
 * time is made of; how much memory an idle node's agent takes. Medians of five boots.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Benchmark, median, type Row } from './benchmark.ts';

const BOOTS = 5;
const IDLE_MS = 3_000;
const podway = resolve(import.meta.dirname, '../podway');

interface Boot {
  readonly bootMilliseconds: number;
  readonly dnsMilliseconds: number | null;
  readonly parts: readonly { readonly part: string; readonly at: number }[];
}

/** Memory of one process, MiB: `Pss` shares a page's cost among the processes that map it, `Rss` counts it in each. */
interface Memory {
  readonly Pss: number;
  readonly Rss: number;
  readonly Shared_Clean: number;
  readonly Anonymous: number;
}

export const benchmark: Benchmark = {
  name: 'lab-boot',
  about: `medians of ${BOOTS} boots, milliseconds since the launcher began; agents' memory after ${IDLE_MS / 1000} idle seconds`,
  async run({ progress }) {
    const home = mkdtempSync(join(tmpdir(), 'podway-bench-'));
    const env = { ...process.env, XDG_STATE_HOME: home };
    const lab = (...args: readonly string[]) =>
      execFileSync(podway, ['lab', ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    // The launcher builds when sources are newer: not in the first boot's time.
    execFileSync(podway, ['version']);
    try {
      const boots = async (nodes: number, idle: () => Promise<void>): Promise<readonly Boot[]> => {
        const found: Boot[] = [];
        for (let i = 1; i <= BOOTS; i++) {
          const boot = JSON.parse(lab('up', '--nodes', String(nodes), '-o', 'json')) as Boot;
          progress(
            `${nodes} nodes, boot ${i}: Ready after ${boot.bootMilliseconds} ms, DNS after ${boot.dnsMilliseconds} ms`,
          );
          found.push(boot);
          if (i === BOOTS) await idle();
          lab('down');
        }
        return found;
      };
      let memory: readonly Memory[] = [];
      const three = await boots(3, async () => {
        await new Promise((done) => setTimeout(done, IDLE_MS));
        memory = agentMemory(home);
      });
      const twenty = await boots(20, async () => {});
      const memoryMedian = (field: keyof Memory) =>
        Math.round(median(memory.map((each) => each[field])) * 10) / 10;
      return {
        figures: {
          ready3Ms: median(three.map((boot) => boot.bootMilliseconds)),
          dns3Ms: median(three.map((boot) => boot.dnsMilliseconds ?? Number.POSITIVE_INFINITY)),
          ready20Ms: median(twenty.map((boot) => boot.bootMilliseconds)),
          agentMiB: memoryMedian('Pss'),
          agentRssMiB: memoryMedian('Rss'),
        },
        rows: [
          ...partRows(three, twenty),
          row('agent memory: its own (heap, stacks), MiB', memoryMedian('Anonymous'), ''),
          row("agent memory: Node's code, shared by all processes, MiB", memoryMedian('Shared_Clean'), ''),
        ],
      };
    } finally {
      try {
        lab('down', '--all');
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    }
  },
};

/** When each part of the boot was done. */
function partRows(three: readonly Boot[], twenty: readonly Boot[]): readonly Row[] {
  const at = (boots: readonly Boot[], part: string) =>
    median(boots.flatMap(({ parts }) => parts.filter((each) => each.part === part).map((each) => each.at)));
  return (three[0]?.parts ?? []).map(({ part }) => row(part, at(three, part), at(twenty, part)));
}

function row(part: string, three: string | number, twenty: string | number): Row {
  return { part, '3 nodes': three, '20 nodes': twenty };
}

/** Of every agent of the labs whose state lies in `home`: they name it in their environment. */
function agentMemory(home: string): readonly Memory[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        if (!words.includes('agent') || !environment.includes(`XDG_STATE_HOME=${home}`)) return [];
        const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
        const mib = (field: string) =>
          Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1024;
        return [
          {
            Pss: mib('Pss'),
            Rss: mib('Rss'),
            Shared_Clean: mib('Shared_Clean'),
            Anonymous: mib('Anonymous'),
          },
        ];
      } catch {
        // It ended, or it is another user's.
        return [];
      }
    });
}
