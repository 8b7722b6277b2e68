/**
 * One mechanism as an agent runs it, and clients of one of its Services: two processes, because a relay must run while a client
 * waits. Asked and answered by lines of JSON. `built-process.ts` builds it.
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { linuxKernel } from '#kernel';
import type { ProxyMechanism } from '#service-proxy';
import { answerQuestions, Conversation } from './conversation.ts';
import { fedProxy } from './fed-proxy.ts';
import { CLUSTER_IP, MEASURED, makePods, PORT, SERVER, TARGET_PORT } from './measured-service.ts';
import { slice } from './objects.ts';
import { nodeCommand, start } from './sandbox.ts';
import { connection, firstPacket, serverSockets, sockaddr, throughput } from './socket-calls.ts';

export interface MechanismTask {
  readonly role: 'agent';
  readonly mechanism: ProxyMechanism;
  readonly services: number;
  readonly endpoints: number;
}

export type Question = 'cold' | 'changes' | 'packets';

export interface ColdAnswer {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Resident memory that it took beyond the objects of the API, MiB. */
  readonly memoryMiB: number;
  /** For so long, at most, nothing else had its turn in the agent, milliseconds. */
  readonly longestTurnMs: number;
}

export interface ChangesAnswer {
  /** Each. */
  readonly ms: readonly number[];
  readonly cpuMs: number;
}

export interface PacketsAnswer {
  /** Microseconds from the first packet of a UDP flow to its answer, each. */
  readonly firstPacketUs: readonly number[];
  readonly connectionsPerSecond: number;
  /** Of client, server, kernel between them and agent. */
  readonly cpuUsPerConnection: number;
  readonly throughputGbit: number;
  readonly cpuMsPerGbit: number;
}

const CHANGES = 15;
/** A slow mechanism makes fewer. */
const CHANGES_MS = 2_000;
const FIRST_PACKETS = 150;
const CONNECTIONS = 150;
const TRANSFERS = 6;
const TRANSFER_GBIT = (8 * 2 ** 20 * 8) / 1e9;
const CLIENT_LIMIT_MS = 60_000;
const TICK_MS = 10;
const TURN_RESOLUTION_MS = 5;

/** Of this process and those it has waited for, milliseconds. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  // cutime and cstime (proc_pid_stat(5)), after the name in brackets.
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (user + system) / 1000 + (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

async function runAgent({ mechanism, ...size }: MechanismTask): Promise<void> {
  const { node } = makePods(linuxKernel());
  const { services, slices, start: startProxy } = fedProxy(node, mechanism, size);
  services.set(MEASURED.service);
  slices.set(MEASURED.slice);
  await using stack = new AsyncDisposableStack();
  const client = stack.use(
    new Conversation(start(nodeCommand(import.meta.filename, JSON.stringify({ role: 'client' })))),
  );
  let proxy: ReturnType<typeof startProxy> | undefined;
  let changes = 0;
  const timed = async (work: () => Promise<unknown>) => {
    const before = { ms: performance.now(), cpu: cpuMs() };
    await work();
    return { ms: performance.now() - before.ms, cpu: cpuMs() - before.cpu };
  };

  await answerQuestions<Question>(async (question) => {
    switch (question) {
      case 'cold': {
        const memory = process.memoryUsage.rss();
        const turns = monitorEventLoopDelay({ resolution: TURN_RESOLUTION_MS });
        turns.enable();
        const { ms, cpu } = await timed(async () => {
          proxy = stack.use(startProxy(() => {}, 0));
          await proxy.settled();
        });
        const memoryMiB = (process.memoryUsage.rss() - memory) / 2 ** 20;
        // What is measured is measured when it is over.
        await setTimeout(2 * TURN_RESOLUTION_MS);
        turns.disable();
        const longestTurnMs = turns.max / 1e6;
        return { seconds: ms / 1000, cpuSeconds: cpu / 1000, memoryMiB, longestTurnMs } satisfies ColdAnswer;
      }
      case 'changes': {
        const each: number[] = [];
        const begun = performance.now();
        const { cpu } = await timed(async () => {
          while (each.length < CHANGES && performance.now() - begun < CHANGES_MS) {
            const at = (++changes * 37) % size.services;
            const { ms } = await timed(async () => {
              slices.set(slice(at, size.endpoints, 1_000_000 + changes));
              await proxy?.settled();
            });
            each.push(ms);
          }
        });
        return { ms: each, cpuMs: cpu / each.length } satisfies ChangesAnswer;
      }
      case 'packets': {
        const ask = async <T>(what: ClientQuestion) => {
          const before = cpuMs();
          const answer = await client.ask<T & { readonly cpuMs: number }>(what, CLIENT_LIMIT_MS);
          return { ...answer, cpuMs: answer.cpuMs + cpuMs() - before };
        };
        const first = await ask<{ readonly us: readonly number[] }>('first packets');
        const connected = await ask<{ readonly perSecond: number }>('connections');
        const transferred = await ask<{ readonly gbit: number }>('transfers');
        return {
          firstPacketUs: first.us,
          connectionsPerSecond: connected.perSecond,
          cpuUsPerConnection: (connected.cpuMs * 1000) / CONNECTIONS,
          throughputGbit: transferred.gbit,
          cpuMsPerGbit: transferred.cpuMs / (TRANSFERS * TRANSFER_GBIT),
        } satisfies PacketsAnswer;
      }
    }
  });
}

type ClientQuestion = 'first packets' | 'connections' | 'transfers';

async function runClient(): Promise<void> {
  const kernel = linuxKernel();
  const [client, server] = ['client', 'server'].map((name) => kernel.openNetns(`/run/netns/${name}`));
  if (client === undefined || server === undefined) throw new Error('there are no Pods');
  const { listener, datagrams } = serverSockets(server, sockaddr(SERVER, TARGET_PORT));
  const to = sockaddr(CLUSTER_IP, PORT);
  const times = <T>(count: number, work: () => T) => Array.from({ length: count }, work);
  const timed = (work: () => void) => {
    const begun = performance.now();
    work();
    return performance.now() - begun;
  };
  await answerQuestions<ClientQuestion>((question) => {
    const before = cpuMs();
    const answer = client.run(() => {
      switch (question) {
        case 'first packets':
          return { us: times(FIRST_PACKETS, () => firstPacket(to, datagrams)) };
        case 'connections': {
          const ms = timed(() => void times(CONNECTIONS, () => connection(to, listener)));
          return { perSecond: (CONNECTIONS / ms) * 1000 };
        }
        case 'transfers':
          return { gbit: Math.max(...times(TRANSFERS, () => throughput(to, listener))) };
      }
    });
    return { ...answer, cpuMs: cpuMs() - before };
  });
}

const [, script, text] = process.argv;
if (script === import.meta.filename && text !== undefined) {
  const task = JSON.parse(text) as MechanismTask | { readonly role: 'client' };
  await (task.role === 'agent' ? runAgent(task) : runClient());
}
