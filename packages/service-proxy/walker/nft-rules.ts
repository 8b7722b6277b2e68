import type { IpAddress } from '#ip';
import type {
  NftChain,
  NftElement,
  NftField,
  NftListing,
  NftRule,
  NftSet,
  NftStatement,
} from '../backends/nft/model.ts';
import { ruleText } from '../backends/nft/text.ts';
import { NftElements } from './nft-elements.ts';
import { WalkError, type WalkHost, type WalkRules } from './walk.ts';
import type { Verdict, WalkedPacket, WalkHook } from './walked-packet.ts';

const MAX_DEPTH = 16; // NFT_JUMP_STACK_SIZE, include/net/netfilter/nf_tables.h

/**
 * The rules of an nft table, to be walked.
 * @param sets of the table
 */
export function nftRules({ chains, elements }: NftListing, sets: readonly NftSet[]): WalkRules {
  const table = {
    chains: new Map(chains.map((chain) => [chain.name, chain])),
    elements: new NftElements(elements, sets),
  };
  return {
    at: (hook, packet, host) => new NftWalk(packet, table, host).at(hook),
  };
}

interface Table {
  readonly chains: ReadonlyMap<string, NftChain>;
  readonly elements: NftElements;
}

class NftWalk {
  readonly #packet: WalkedPacket;
  readonly #table: Table;
  readonly #host: WalkHost;

  constructor(packet: WalkedPacket, table: Table, host: WalkHost) {
    this.#packet = packet;
    this.#table = table;
    this.#host = host;
  }

  at(hook: WalkHook): Verdict {
    const bases = [...this.#table.chains.values()]
      .filter((chain) => chain.hook?.at === hook)
      .sort((a, b) => (a.hook?.priority ?? 0) - (b.hook?.priority ?? 0));
    for (const chain of bases) {
      const verdict = this.#chain(chain, 0);
      if (verdict === 'continue' && chain.hook?.policy === 'drop')
        return this.#packet.drop({ chain: chain.name, rule: 'policy drop' });
      if (verdict !== 'continue' && verdict !== 'accept') return verdict;
    }
    return 'accept';
  }

  #chain(chain: NftChain, depth: number): Verdict | 'continue' {
    if (depth > MAX_DEPTH) throw new WalkError(`chain ${chain.name}: more than ${MAX_DEPTH} jumps`);
    for (const rule of chain.rules) {
      const verdict = this.#rule(chain, rule, depth);
      if (verdict === 'return') return 'continue';
      if (verdict !== 'continue') return verdict;
    }
    return 'continue';
  }

  #rule(chain: NftChain, rule: NftRule, depth: number): Verdict | 'continue' | 'return' {
    for (const statement of rule) {
      const verdict = this.#statement(chain, rule, statement, depth);
      if (verdict === 'no match') return 'continue';
      if (verdict !== 'next') return verdict;
    }
    return 'continue';
  }

  #statement(
    chain: NftChain,
    rule: NftRule,
    statement: NftStatement,
    depth: number,
  ): Verdict | 'next' | 'no match' | 'continue' | 'return' {
    const packet = this.#packet;
    const cause = (element?: NftElement) => ({
      ...{ chain: chain.name, rule: ruleText(rule, packet.family) },
      ...(element !== undefined && { element }),
    });
    const go = (kind: 'goto' | 'jump', target: string) => {
      const next = this.#table.chains.get(target);
      if (next === undefined)
        throw new WalkError(`chain ${chain.name} goes to ${target}, which is not there`);
      const verdict = this.#chain(next, depth + 1);
      // After goto the packet comes back to where this chain was called from, not to this chain.
      return verdict === 'continue' && kind === 'goto' ? 'return' : verdict;
    };
    switch (statement.do) {
      case 'match': {
        const value = this.#field(statement.field);
        return value !== undefined && statement.values.includes(value) ? 'next' : 'no match';
      }
      case 'lookup': {
        const key = this.#key(statement.key);
        if (key === undefined) return 'no match';
        const found = this.#table.elements.find(statement.set, key) !== undefined;
        return found !== statement.negate ? 'next' : 'no match';
      }
      case 'verdict map': {
        const element = this.#find(statement.map, statement.key);
        if (element === undefined) return 'no match';
        const [kind = '', target = ''] = element.value.split(' ');
        if (kind === 'goto' || kind === 'jump') {
          packet.note(cause(element), `goes to ${target}`);
          return go(kind, target);
        }
        if (kind === 'drop') return packet.drop(cause(element));
        if (kind !== 'accept' && kind !== 'return')
          throw new WalkError(`map ${statement.map} holds no verdict: ${element.value}`);
        packet.note(cause(element), kind === 'accept' ? 'let through' : 'goes on after the chain');
        return kind;
      }
      case 'dnat': {
        const element = this.#find(statement.map, statement.key);
        if (element === undefined) return 'no match';
        const [address, port] = element.value.split(' . ');
        return packet.translate(cause(element), address as IpAddress, Number(port));
      }
      case 'keep destination':
        packet.note(cause(), 'the destination stays, whatever other tables say');
        return 'accept';
      case 'set mark': {
        const element = this.#find(statement.map, statement.key);
        if (element === undefined) return 'no match';
        packet.note(cause(element), `marked ${element.value}`);
        return 'next';
      }
      case 'learn': {
        const key = this.#key(statement.key);
        const data = this.#key(statement.data);
        if (key === undefined || data === undefined) return 'no match';
        packet.learn(cause(), { map: statement.map, key, value: data.join(' . ') });
        return 'next';
      }
      case 'forget':
        packet.note(cause(), 'the endpoint that was remembered is no longer one: forgotten');
        return 'next';
      case 'masquerade':
        return packet.masquerade(cause());
      case 'drop':
        return packet.drop(cause());
      case 'return':
        return 'return';
      case 'goto':
      case 'jump':
        return go(statement.do, statement.chain);
      case 'reject':
        return packet.reject(cause(), statement.with);
      case 'unknown':
        throw new WalkError(`chain ${chain.name}: ${statement.what}`);
    }
  }

  /** An element of the table, or what packets before this one have added to a map of affinity. */
  #find(map: string, fields: readonly NftField[]): NftElement | undefined {
    const key = this.#key(fields);
    if (key === undefined) return undefined;
    const remembered = () => {
      const value = this.#host.recall?.(map, key);
      return value === undefined ? undefined : { set: map, key: key.join(' . '), value };
    };
    return this.#table.elements.find(map, key) ?? remembered();
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
    const { sent, destination, destinationPort, translated } = this.#packet;
    if (typeof field !== 'string') return String(this.#host.random(field.random));
    switch (field) {
      case 'saddr':
        return sent.source;
      case 'daddr':
        return destination;
      case 'l4proto':
        return sent.protocol;
      case 'dport':
        return destinationPort?.toString();
      case 'ct state':
        return 'new';
      case 'ct status':
        return translated ? 'dnat' : '';
      case 'ct original daddr':
        return sent.destination;
      case 'ct original dport':
        return sent.destinationPort?.toString();
      case 'fib saddr type':
        return this.#typeOf(sent.source);
      case 'fib daddr type':
        return this.#typeOf(destination);
    }
  }

  #typeOf(address: IpAddress): string {
    return this.#host.isLocal(address) ? 'local' : 'unicast';
  }
}
