/**
 * The ways to carry Services side by side, each in processes of its own, built as an agent is. Those that this machine's kernel has not (IPVS, often) are
 * measured in the virtual machine of test/vm, where everything is several times slower: with nftables beside them, and compared with that alone.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { errorMessage } from '#runtime';
import { PROXY_MECHANISMS, type ProxyMechanism } from '#service-proxy';
import type { Benchmark, Row } from './benchmark.ts';
import { buildMechanismProcess } from './proxy/built-process.ts';
import { type Compared, compare, probe } from './proxy/compare.ts';
import { type Panel, plot } from './proxy/plot.ts';

const SIZES = [10, 1_000, 5_000, 10_000];
const ENDPOINTS = 10;
const ROUNDS = 5;
const ROUNDS_IN_VM = 5;
const COLD_LIMIT_SECONDS = 60;
const VM_LIMIT_MS = 500_000;
const VM_MEMORY_MIB = 3_072;
const ROOT = resolve(import.meta.dirname, '..');
const PICTURE = join(ROOT, 'docs/proxy-backends.svg');
/** Marks the line of the virtual machine's output that has the result: errors are written there too. */
const RESULT = 'RESULT ';

const COLUMNS = [
  ['coldSeconds', 'cold load, s'],
  ['changeMs', 'one change, ms'],
  ['firstPacketUs', 'first packet, µs'],
  ['connectionsPerSecond', 'connections a second'],
  ['throughputGbit', 'throughput, Gbit/s'],
  ['coldCpuSeconds', 'CPU of the load, s'],
  ['changeCpuMs', 'CPU of a change, ms'],
  ['cpuUsPerConnection', 'CPU of a connection, µs'],
  ['cpuMsPerGbit', 'CPU of a Gbit, ms'],
  ['longestTurnMs', 'event loop held by the load, ms at most'],
  ['memoryMiB', 'memory, MiB'],
] as const satisfies readonly (readonly [keyof Compared, string])[];

/** `PODWAY_BENCH_SERVICES=10,1000` measures a part. */
function sizes(): readonly number[] {
  const wanted = process.env['PODWAY_BENCH_SERVICES'];
  if (wanted === undefined) return SIZES;
  const numbers = wanted.split(',').map(Number);
  if (numbers.some((number) => !Number.isInteger(number) || number < 1))
    throw new Error(`PODWAY_BENCH_SERVICES=${wanted}: numbers with commas between them are expected`);
  return numbers;
}

/** `PODWAY_BENCH_MECHANISMS=nftables,userspace` measures a part. */
function wantedMechanisms(): readonly ProxyMechanism[] {
  const wanted = process.env['PODWAY_BENCH_MECHANISMS']?.split(',');
  const unknown = wanted?.find((name) => !PROXY_MECHANISMS.some((known) => known === name));
  if (unknown !== undefined)
    throw new Error(`PODWAY_BENCH_MECHANISMS: ${unknown} is none of ${PROXY_MECHANISMS.join(', ')}`);
  return PROXY_MECHANISMS.filter((name) => wanted?.includes(name) ?? true);
}

async function measure(
  mechanisms: readonly ProxyMechanism[],
  rounds: number,
  progress: (text: string) => void,
): Promise<readonly Compared[]> {
  const found: Compared[] = [];
  for (const services of sizes())
    found.push(
      ...(await compare(
        { mechanisms, services, endpoints: ENDPOINTS, rounds, coldLimitSeconds: COLD_LIMIT_SECONDS },
        progress,
      )),
    );
  return found;
}

/** The same program in the virtual machine. @throws when there is none */
function measureInVm(mechanisms: readonly ProxyMechanism[]): readonly Compared[] {
  const vm = [join(ROOT, 'test/vm/run.ts'), '--memory', String(VM_MEMORY_MIB), '--'];
  const self = [process.execPath, import.meta.filename, mechanisms.join(',')];
  const output = execFileSync(process.execPath, [...vm, ...self], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: VM_LIMIT_MS,
  });
  const line = output.split('\n').find((text) => text.startsWith(RESULT));
  if (line === undefined) throw new Error(`no result: ${output.trim().split('\n').slice(-3).join('; ')}`);
  return JSON.parse(line.slice(RESULT.length)) as Compared[];
}

export const benchmark: Benchmark = {
  name: 'proxy-backends',
  about:
    'nftables, iptables, the relay and IPVS side by side: load, change, packets, CPU, memory; draws docs/proxy-backends.svg',
  async run({ progress }) {
    await buildMechanismProcess();
    const missing = probe(wantedMechanisms());
    const here = wantedMechanisms().filter((name) => missing[name]?.length === 0);
    const elsewhere = wantedMechanisms().filter((name) => missing[name]?.length !== 0);
    for (const name of elsewhere) progress(`${name}: not here (${missing[name]?.join('; ')})`);
    const rows: Row[] = [];
    const measured = await measure(here, ROUNDS, progress);
    let inVm: readonly Compared[] = [];
    if (elsewhere.length > 0) {
      progress(`in the virtual machine: ${elsewhere.join(', ')}, beside nftables`);
      try {
        inVm = measureInVm(['nftables', ...elsewhere]);
      } catch (error) {
        progress(`nothing from the virtual machine: ${errorMessage(error)}`);
      }
    }
    for (const one of measured) rows.push(rowOf(one.mechanism, one));
    for (const one of inVm) rows.push(rowOf(`${one.mechanism} (VM)`, one));
    // A part is not drawn: the picture in the documentation has every size.
    const isWhole =
      SIZES.every((size) => sizes().includes(size)) && wantedMechanisms().length === PROXY_MECHANISMS.length;
    if (isWhole) writeFileSync(PICTURE, picture(measured, inVm));
    progress(`\n${markdown(rows)}`);
    return { figures: { ...figures(measured), ...vmFigures(inVm) }, rows };
  },
};

function rowOf(name: string, one: Compared): Row {
  const cells = COLUMNS.map(([key, title]) => {
    const value = key === 'firstPacketUs' ? percentiles(one) : one[key];
    return [title, value ?? (key === 'coldSeconds' ? (one.failure ?? '') : '')] as const;
  });
  return { services: one.services, mechanism: name, ...Object.fromEntries(cells) };
}

function percentiles({ firstPacketUs, firstPacketP99Us }: Compared): string | undefined {
  return firstPacketUs === undefined ? undefined : `${firstPacketUs} / ${firstPacketP99Us}`;
}

/** At the largest size that was measured. */
function figures(measured: readonly Compared[]): Record<string, number> {
  const largest = Math.max(0, ...measured.map(({ services }) => services));
  const found: Record<string, number> = {};
  for (const one of measured.filter(({ services }) => services === largest))
    for (const [key] of [...COLUMNS, ['firstPacketP99Us'] as const]) {
      const value = one[key];
      if (value !== undefined) found[`${one.mechanism}${key[0]?.toUpperCase()}${key.slice(1)}`] = value;
    }
  return { ...found, ...ratios(measured, largest) };
}

/** Throughput beside nftables, of the same run and kernel. */
function ratios(measured: readonly Compared[], services: number): Record<string, number> {
  const at = measured.filter((one) => one.services === services);
  const base = at.find(({ mechanism }) => mechanism === 'nftables')?.throughputGbit;
  const found: Record<string, number> = {};
  for (const { mechanism, throughputGbit } of at)
    if (mechanism !== 'nftables' && base !== undefined && throughputGbit !== undefined)
      found[`${mechanism}VsNftablesThroughput`] = Number((throughputGbit / base).toFixed(3));
  return found;
}

/** Nothing of the virtual machine is to be compared with the machine's own figures: nftables' in it are named so. */
function vmFigures(inVm: readonly Compared[]): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures(inVm)).map(([name, value]) => [
      name.startsWith('nftables') ? `${name}InVm` : name,
      value,
    ]),
  );
}

function markdown(rows: readonly Row[]): string {
  const header = Object.keys(rows[0] ?? {});
  const lines = [header, header.map(() => '---'), ...rows.map((row) => header.map((key) => row[key] ?? ''))];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function picture(measured: readonly Compared[], inVm: readonly Compared[]): string {
  const panels = [...COLUMNS, ['firstPacketP99Us', 'first packet, 99th percentile, µs'] as const].map(
    ([key, title]): Panel => {
      const linesOf = (list: readonly Compared[], suffix: string) =>
        PROXY_MECHANISMS.map((mechanism) => ({
          name: mechanism + suffix,
          colour: PROXY_MECHANISMS.indexOf(mechanism),
          dashed: suffix !== '',
          points: list.flatMap((one) => {
            const value = one[key];
            return one.mechanism === mechanism && typeof value === 'number'
              ? [{ x: one.services, y: value }]
              : [];
          }),
        })).filter(({ points }) => points.length > 0);
      return { title, lines: [...linesOf(measured, ''), ...linesOf(inVm, ' (VM)')] };
    },
  );
  return plot('Services by number, 10 endpoints each: npm run bench -- proxy-backends', panels);
}

const [, script, mechanisms] = process.argv;
if (script === import.meta.filename && mechanisms !== undefined) {
  const names = mechanisms.split(',') as ProxyMechanism[];
  probe(names); // has the kernel load its modules
  const found = await measure(names, ROUNDS_IN_VM, () => {});
  process.stdout.write(`${RESULT}${JSON.stringify(found)}\n`);
}
