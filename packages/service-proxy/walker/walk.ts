import type { IpAddress } from '#ip';
import { familyOf } from '#ip';
import { PodwayError } from '#runtime';
import type { NftChain, NftField, NftRule, NftStatement, RejectWith } from '../backends/nft/model.ts';
import { ruleText } from '../backends/nft/text.ts';
import type { WalkRules } from './rules.ts';

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

/** The facts of the host that rules ask for. */
export interface WalkHost {
  /** Whether an address is one of the host's (`fib … type local`). */
  isLocal(address: IpAddress): boolean;
  /** A number below `n`, for `numgen`. */
  random(n: number): number;
  /** What an affinity map remembers of a client. */
  recall?(map: string, key: readonly string[]): string | undefined;
}

export interface WalkStep {
  readonly hook: string;
  readonly chain: string;
  /** The rule in the nft language. */
  readonly rule: string;
  /** What it did to the packet, in words. */
  readonly effect: string;
}

export interface WalkResult {
  /** Reached a process of the host, went on by a link, vanished, or was answered "no". */
  readonly outcome: 'delivered' | 'forwarded' | 'dropped' | 'rejected';
  readonly rejectedWith: RejectWith | undefined;
  /** Where the packet goes after translation. */
  readonly destination: IpAddress;
  readonly destinationPort: number | undefined;
  /** Whether its source was replaced by the node's. */
  readonly masqueraded: boolean;
  /** What was remembered for the client's next connections. */
  readonly learned:
    | { readonly map: string; readonly key: readonly string[]; readonly value: string }
    | undefined;
  readonly steps: readonly WalkStep[];
}

/** A rule says something that cannot be: a walk never guesses. */
export class WalkError extends PodwayError {
  readonly code = 'Walk';
}

type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'continue' | 'return' }
  | { readonly kind: 'reject'; readonly with: RejectWith };

/**
 * Takes the first packet of a connection through the hooks as the kernel would: prerouting, or output for the node's own; input or
 * forward; postrouting. Pure: rules and host are given.
 */
export function walk(packet: WalkPacket, rules: WalkRules, host: WalkHost): WalkResult {
  return new Walk(packet, rules, host).run();
}

const MAX_DEPTH = 16; // NFT_JUMP_STACK_SIZE, include/net/netfilter/nf_tables.h

class Walk {
  readonly #packet: WalkPacket;
  readonly #rules: WalkRules;
  readonly #host: WalkHost;
  readonly #steps: WalkStep[] = [];
  #destination: IpAddress;
  #destinationPort: number | undefined;
  #translated = false;
  #masqueraded = false;
  #learned: WalkResult['learned'];
  #hook = '';

  constructor(packet: WalkPacket, rules: WalkRules, host: WalkHost) {
    this.#packet = packet;
    this.#rules = rules;
    this.#host = host;
    this.#destination = packet.destination;
    this.#destinationPort = packet.destinationPort;
  }

  run(): WalkResult {
    const fromNode = this.#packet.origin === 'node';
    const first = this.#hooks(fromNode ? 'output' : 'prerouting');
    if (first !== undefined) return first;
    const local = this.#host.isLocal(this.#destination);
    if (!fromNode) {
      const second = this.#hooks(local ? 'input' : 'forward');
      if (second !== undefined) return second;
      if (local) return this.#result('delivered');
    }
    // The node's packets to itself pass postrouting too, and then input by the loopback link.
    const last = this.#hooks('postrouting');
    return last ?? this.#result(local ? 'delivered' : 'forwarded');
  }

  /** Runs the hook's base chains; undefined: all let the packet go on. */
  #hooks(at: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'): WalkResult | undefined {
    this.#hook = at;
    for (const chain of this.#rules.hooked(at)) {
      const verdict = this.#chain(chain, 0);
      if (verdict.kind === 'drop') return this.#result('dropped');
      if (verdict.kind === 'reject') return this.#result('rejected', verdict.with);
    }
    return undefined;
  }

  #result(outcome: WalkResult['outcome'], rejectedWith?: RejectWith): WalkResult {
    return {
      outcome,
      rejectedWith,
      destination: this.#destination,
      destinationPort: this.#destinationPort,
      masqueraded: this.#masqueraded,
      learned: this.#learned,
      steps: this.#steps,
    };
  }

  #chain(chain: NftChain, depth: number): Verdict {
    if (depth > MAX_DEPTH) throw new WalkError(`chain ${chain.name}: more than ${MAX_DEPTH} jumps`);
    for (const rule of chain.rules) {
      const verdict = this.#rule(chain, rule, depth);
      if (verdict.kind === 'return') return { kind: 'continue' };
      if (verdict.kind !== 'continue') return verdict;
    }
    return { kind: 'continue' };
  }

  #rule(chain: NftChain, rule: NftRule, depth: number): Verdict {
    for (const statement of rule) {
      const verdict = this.#statement(chain, rule, statement, depth);
      if (verdict === 'no match') return { kind: 'continue' };
      if (verdict !== 'next') return verdict;
    }
    return { kind: 'continue' };
  }

  #statement(
    chain: NftChain,
    rule: NftRule,
    statement: NftStatement,
    depth: number,
  ): Verdict | 'next' | 'no match' {
    const step = (effect: string) =>
      this.#steps.push({
        hook: this.#hook,
        chain: chain.name,
        rule: ruleText(rule, familyOf(this.#packet.destination)),
        effect,
      });
    const go = (kind: string, target: string): Verdict => {
      const next = this.#rules.chain(target);
      if (next === undefined)
        throw new WalkError(`chain ${chain.name} goes to ${target}, which is not there`);
      const verdict = this.#chain(next, depth + 1);
      // After goto the packet comes back to where this chain was called from, not to this chain.
      return verdict.kind === 'continue' && kind === 'goto' ? { kind: 'return' } : verdict;
    };
    switch (statement.do) {
      case 'match': {
        const value = this.#field(statement.field);
        return value !== undefined && statement.values.includes(value) ? 'next' : 'no match';
      }
      case 'lookup': {
        const key = this.#key(statement.key);
        if (key === undefined) return 'no match';
        return (this.#rules.find(statement.set, key) !== undefined) !== statement.negate
          ? 'next'
          : 'no match';
      }
      case 'verdict map': {
        const key = this.#key(statement.key);
        const value = key && this.#rules.find(statement.map, key);
        if (value === undefined) return 'no match';
        step(`${key?.join(' . ')} is in @${statement.map}: ${value}`);
        const [kind = '', target = ''] = value.split(' ');
        if (kind === 'goto' || kind === 'jump') return go(kind, target);
        if (kind === 'drop' || kind === 'accept' || kind === 'return') return { kind };
        throw new WalkError(`map ${statement.map} holds no verdict: ${value}`);
      }
      case 'dnat': {
        const key = this.#key(statement.key);
        const value =
          key && (this.#rules.find(statement.map, key) ?? this.#host.recall?.(statement.map, key));
        if (value === undefined) return 'no match';
        const [address, port] = value.split(' . ');
        this.#destination = address as IpAddress;
        this.#destinationPort = Number(port);
        this.#translated = true;
        step(`the destination becomes ${address} port ${port}`);
        return { kind: 'accept' };
      }
      case 'set mark': {
        const key = this.#key(statement.key);
        const value = key && this.#rules.find(statement.map, key);
        if (value === undefined) return 'no match';
        step(`marked ${value}`);
        return 'next';
      }
      case 'learn': {
        const key = this.#key(statement.key);
        const data = this.#key(statement.data);
        if (key === undefined || data === undefined) return 'no match';
        this.#learned = { map: statement.map, key, value: data.join(' . ') };
        step(`remembered for ${statement.timeout} s`);
        return 'next';
      }
      case 'forget':
        step('the endpoint that was remembered is no longer one: forgotten');
        return 'next';
      case 'masquerade':
        this.#masqueraded = true;
        step("the source becomes the node's address on the way out");
        return { kind: 'accept' };
      case 'drop':
        step('dropped');
        return { kind: 'drop' };
      case 'return':
        return { kind: 'return' };
      case 'goto':
      case 'jump':
        return go(statement.do, statement.chain);
      case 'reject':
        step(`answered with ${statement.with}`);
        return { kind: 'reject', with: statement.with };
    }
  }

  /** undefined when a part is not in the packet (a port of an ICMP packet): the rule does not match. */
  #key(fields: readonly NftField[]): readonly string[] | undefined {
    const parts: string[] = [];
    for (const field of fields) {
      const value = this.#field(field);
      if (value === undefined) return undefined;
      parts.push(value);
    }
    return parts;
  }

  #field(field: NftField): string | undefined {
    const { source, destination, protocol, destinationPort } = this.#packet;
    if (typeof field !== 'string') return String(this.#host.random(field.random));
    switch (field) {
      case 'saddr':
        return source;
      case 'daddr':
        return this.#destination;
      case 'l4proto':
        return protocol;
      case 'dport':
        return this.#destinationPort?.toString();
      case 'ct state':
        return 'new';
      case 'ct status':
        return this.#translated ? 'dnat' : '';
      case 'ct original daddr':
        return destination;
      case 'ct original dport':
        return destinationPort?.toString();
      case 'fib saddr type':
        return this.#host.isLocal(source) ? 'local' : 'unicast';
      case 'fib daddr type':
        return this.#host.isLocal(this.#destination) ? 'local' : 'unicast';
    }
  }
}
