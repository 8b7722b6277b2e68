import type { IpAddress } from '#ip';
import { PodwayError } from '#runtime';
import type { RejectWith } from '../backends/nft/model.ts';
import {
  type Verdict,
  WalkedPacket,
  type WalkHook,
  type WalkMemory,
  type WalkPacket,
  type WalkStep,
} from './walked-packet.ts';

/** The facts of the host that rules ask for. */
export interface WalkHost {
  /** Whether an address is one of the host's (fib type `local`). */
  isLocal(address: IpAddress): boolean;
  /** A number below `n`, for `numgen` and `statistic`. */
  random(n: number): number;
  /** What an affinity map or list remembers of a client. */
  recall?(map: string, key: readonly string[]): string | undefined;
}

/** The rules of one mechanism, whichever it is. */
export interface WalkRules {
  /** Takes the packet through what hangs on a hook, in the order in which the kernel runs it. */
  at(hook: WalkHook, packet: WalkedPacket, host: WalkHost): Verdict;
}

/** What became of a packet, and why. */
export interface Walk {
  /** As it was sent. */
  readonly packet: WalkPacket;
  readonly steps: readonly WalkStep[];
  /** Reached a process of the host, went on by a link, vanished, or was answered "no". */
  readonly outcome: 'delivered' | 'forwarded' | 'dropped' | 'rejected';
  readonly rejectedWith: RejectWith | undefined;
  /** Where the packet goes after translation. */
  readonly destination: IpAddress;
  readonly destinationPort: number | undefined;
  /** Whether its source was replaced by the node's. */
  readonly masqueraded: boolean;
  /** What was remembered for the client's next connections. */
  readonly learned: WalkMemory | undefined;
}

/** A rule says something that cannot be: a walk never guesses. */
export class WalkError extends PodwayError {
  readonly code = 'Walk';
}

/** Takes the first packet of a connection through the hooks as the kernel would. Pure: rules and host are given. */
export function walk(packet: WalkPacket, rules: WalkRules, host: WalkHost): Walk {
  const walked = new WalkedPacket(packet);
  const end = (outcome: Walk['outcome'], rejectedWith?: RejectWith): Walk => ({
    ...{ packet, steps: walked.steps, outcome, rejectedWith },
    ...{ destination: walked.destination, destinationPort: walked.destinationPort },
    ...{ masqueraded: walked.masqueraded, learned: walked.learned },
  });
  for (const hook of hooksOf(walked, host)) {
    walked.hook = hook;
    const verdict = rules.at(hook, walked, host);
    if (verdict === 'drop') return end('dropped');
    if (verdict !== 'accept') return end('rejected', verdict.reject);
  }
  return end(host.isLocal(walked.destination) ? 'delivered' : 'forwarded');
}

/** The next hook is asked for when the packet has passed the one before: the first may have translated it. */
function* hooksOf(packet: WalkedPacket, host: WalkHost): Generator<WalkHook> {
  const isOwn = packet.sent.origin === 'node';
  yield isOwn ? 'output' : 'prerouting';
  const isForHost = host.isLocal(packet.destination);
  if (!isOwn) yield isForHost ? 'input' : 'forward';
  // The node's packets to itself pass postrouting too, and then input by the loopback link.
  if (isOwn || !isForHost) yield 'postrouting';
}
