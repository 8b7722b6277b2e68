import { familyOf, type IpAddress, type IpFamily } from '#ip';
import type { NftElement, RejectWith } from '../backends/nft/model.ts';

/** The first packet of a connection. */
export interface WalkPacket {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp';
  /** Absent for icmp. */
  readonly destinationPort?: number;
  /** Sent by a process of the node itself (hook output), or come in by a link (hook prerouting). */
  readonly origin: 'node' | 'link';
}

export type WalkHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

/** What did something to a packet. */
interface WalkCause {
  readonly chain: string;
  /** The rule in its mechanism's own language. */
  readonly rule: string;
  /** Of the rule's map: the element that decided. */
  readonly element?: NftElement;
}

export interface WalkStep extends WalkCause {
  readonly hook: WalkHook;
  /** What it did to the packet, in words. */
  readonly effect: string;
}

export interface WalkMemory {
  readonly map: string;
  readonly key: readonly string[];
  readonly value: string;
}

/** What rules say of a packet in the end. */
export type Verdict = 'accept' | 'drop' | { readonly reject: RejectWith };

/** A packet on its way: what it is now, and what was done to it by which rule. What any mechanism can do to a packet is a method. */
export class WalkedPacket {
  /** As it was sent; connection tracking keeps this destination as the original one. */
  readonly sent: WalkPacket;
  readonly family: IpFamily;
  hook: WalkHook = 'prerouting';
  readonly #steps: WalkStep[] = [];
  #destination: IpAddress;
  #destinationPort: number | undefined;
  #translated = false;
  #masqueraded = false;
  #learned: WalkMemory | undefined;

  constructor(sent: WalkPacket) {
    this.sent = sent;
    this.family = familyOf(sent.destination);
    this.#destination = sent.destination;
    this.#destinationPort = sent.destinationPort;
  }

  get steps(): readonly WalkStep[] {
    return this.#steps;
  }
  get destination(): IpAddress {
    return this.#destination;
  }
  get destinationPort(): number | undefined {
    return this.#destinationPort;
  }
  /** Its connection has another destination than the client gave it. */
  get translated(): boolean {
    return this.#translated;
  }
  get masqueraded(): boolean {
    return this.#masqueraded;
  }
  get learned(): WalkMemory | undefined {
    return this.#learned;
  }

  /** Something that leaves the packet as it is. */
  note(cause: WalkCause, effect: string): void {
    this.#steps.push({ hook: this.hook, ...cause, effect });
  }

  translate(cause: WalkCause, address: IpAddress, port: number): Verdict {
    this.#destination = address;
    this.#destinationPort = port;
    this.#translated = true;
    this.note(cause, `the destination becomes ${address} port ${port}`);
    return 'accept';
  }

  masquerade(cause: WalkCause): Verdict {
    this.#masqueraded = true;
    this.note(cause, "the source becomes the node's address on the way out");
    return 'accept';
  }

  learn(cause: WalkCause, memory: WalkMemory): void {
    this.#learned = memory;
    this.note(cause, 'the client is remembered');
  }

  drop(cause: WalkCause): Verdict {
    this.note(cause, 'dropped');
    return 'drop';
  }

  reject(cause: WalkCause, how: RejectWith): Verdict {
    this.note(cause, `answered with ${how}`);
    return { reject: how };
  }
}
