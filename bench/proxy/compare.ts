/** Mechanisms side by side at one number of Services: a process each, asked in turn, so that what disturbs the machine disturbs all. */
import { linuxKernel } from '#kernel';
import { silentLogger, systemClock } from '#runtime';
import { createBackend, type ProxyMechanism } from '#service-proxy';
import { median } from '../benchmark.ts';
import { MECHANISM_PROCESS } from './built-process.ts';
import { Conversation, NoAnswerError } from './conversation.ts';
import type {
  ChangesAnswer,
  ColdAnswer,
  MechanismTask,
  PacketsAnswer,
  Question,
} from './mechanism-process.ts';
import { outputOf, sandboxedCommand, start } from './sandbox.ts';

/** Medians over the rounds, but for the 99th percentile. */
export interface Compared {
  readonly mechanism: ProxyMechanism;
  readonly services: number;
  /** Why there are no figures. */
  readonly failure?: string;
  readonly coldSeconds?: number;
  readonly coldCpuSeconds?: number;
  readonly longestTurnMs?: number;
  readonly memoryMiB?: number;
  readonly changeMs?: number;
  readonly changeCpuMs?: number;
  readonly firstPacketUs?: number;
  readonly firstPacketP99Us?: number;
  readonly connectionsPerSecond?: number;
  readonly cpuUsPerConnection?: number;
  readonly throughputGbit?: number;
  readonly cpuMsPerGbit?: number;
}

export interface Comparison {
  readonly mechanisms: readonly ProxyMechanism[];
  readonly services: number;
  readonly endpoints: number;
  readonly rounds: number;
  readonly coldLimitSeconds: number;
}

const ANSWER_MS = 120_000;

interface Candidate {
  readonly mechanism: ProxyMechanism;
  readonly conversation: Conversation;
  cold?: ColdAnswer;
  readonly changes: ChangesAnswer[];
  readonly packets: PacketsAnswer[];
  failure?: string;
}

export async function compare(
  { mechanisms, services, endpoints, rounds, coldLimitSeconds }: Comparison,
  progress: (text: string) => void,
): Promise<readonly Compared[]> {
  await using stack = new AsyncDisposableStack();
  const candidates = mechanisms.map((mechanism): Candidate => {
    const task: MechanismTask = { role: 'agent', mechanism, services, endpoints };
    const conversation = stack.use(
      new Conversation(start(sandboxedCommand(MECHANISM_PROCESS, JSON.stringify(task)))),
    );
    return { mechanism, conversation, changes: [], packets: [] };
  });
  const ask = async <T>(candidate: Candidate, question: Question, limitMs: number, failure: string) => {
    if (candidate.failure !== undefined) return undefined;
    try {
      return await candidate.conversation.ask<T>(question, limitMs);
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      candidate.failure = failure;
      progress(`${services} Services, ${candidate.mechanism}: ${failure}`);
      return undefined;
    }
  };
  for (const candidate of candidates) {
    progress(`${services} Services, ${candidate.mechanism}: cold load`);
    const limitMs = coldLimitSeconds * 1000;
    const cold = await ask<ColdAnswer>(candidate, 'cold', limitMs, `not within ${coldLimitSeconds} s`);
    if (cold !== undefined) candidate.cold = cold;
  }
  for (let round = 0; round < rounds; round++) {
    progress(`${services} Services, round ${round + 1} of ${rounds}`);
    for (let i = 0; i < candidates.length; i++) {
      // Another one begins each round.
      const candidate = candidates[(i + round) % candidates.length];
      if (candidate === undefined) continue;
      const changes = await ask<ChangesAnswer>(candidate, 'changes', ANSWER_MS, 'ended while it was changed');
      if (changes !== undefined) candidate.changes.push(changes);
      const packets = await ask<PacketsAnswer>(candidate, 'packets', ANSWER_MS, 'did not carry every packet');
      if (packets !== undefined) candidate.packets.push(packets);
    }
  }
  return candidates.map((candidate) => summary(candidate, services));
}

function summary({ mechanism, cold, changes, packets, failure }: Candidate, services: number): Compared {
  const loaded = cold && {
    coldSeconds: round(cold.seconds),
    coldCpuSeconds: round(cold.cpuSeconds),
    longestTurnMs: round(cold.longestTurnMs, 0),
    memoryMiB: round(cold.memoryMiB, 0),
  };
  if (failure !== undefined || changes.length === 0 || packets.length === 0)
    return { mechanism, services, failure: failure ?? 'nothing was measured', ...loaded };
  const first = packets.flatMap(({ firstPacketUs }) => firstPacketUs).toSorted((a, b) => a - b);
  const over = (pick: (answer: PacketsAnswer) => number, digits?: number) =>
    round(median(packets.map(pick)), digits);
  return {
    mechanism,
    services,
    ...loaded,
    changeMs: round(median(changes.flatMap(({ ms }) => ms))),
    changeCpuMs: round(median(changes.map(({ cpuMs }) => cpuMs))),
    firstPacketUs: round(median(first), 0),
    firstPacketP99Us: round(first[Math.floor(first.length * 0.99)] ?? 0, 0),
    connectionsPerSecond: over(({ connectionsPerSecond }) => connectionsPerSecond, 0),
    cpuUsPerConnection: over(({ cpuUsPerConnection }) => cpuUsPerConnection, 0),
    throughputGbit: over(({ throughputGbit }) => throughputGbit),
    cpuMsPerGbit: over(({ cpuMsPerGbit }) => cpuMsPerGbit, 1),
  };
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/** Which of them this machine has, asked where they are measured. */
export function probe(mechanisms: readonly ProxyMechanism[]): Readonly<Record<string, readonly string[]>> {
  const task = JSON.stringify(mechanisms);
  return JSON.parse(outputOf(sandboxedCommand(import.meta.filename, task))) as Record<
    string,
    readonly string[]
  >;
}

async function probeHere(mechanisms: readonly ProxyMechanism[]) {
  const netns = linuxKernel().currentNetns();
  netns.links.set('lo', { up: true });
  const found: Record<string, readonly string[]> = {};
  for (const mechanism of mechanisms) {
    await using backend = createBackend(mechanism, { netns, clock: systemClock, logger: silentLogger });
    found[mechanism] = await backend.probe();
  }
  return found;
}

const [, script, task] = process.argv;
if (script === import.meta.filename && task !== undefined)
  process.stdout.write(JSON.stringify(await probeHere(JSON.parse(task) as ProxyMechanism[])));
