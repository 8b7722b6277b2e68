import { prefixContains } from '#ip';
import { JUMPS } from '../backends/iptables/fixed-rules.ts';
import {
  type ChainId,
  chainId,
  IPT_TABLES,
  type IptRule,
  type IptTable,
} from '../backends/iptables/model.ts';
import { ruleText } from '../backends/iptables/text.ts';
import { WalkError, type WalkHost, type WalkRules } from './walk.ts';
import type { Verdict, WalkedPacket, WalkHook } from './walked-packet.ts';

/** Our chains are at most four deep: more is a loop. */
const MAX_DEPTH = 16;

/**
 * Our chains of iptables, to be walked.
 * @param chains of one family
 */
export function iptablesRules(chains: ReadonlyMap<ChainId, readonly IptRule[]>): WalkRules {
  return {
    at: (hook, packet, host) => new IptablesWalk(packet, chains, host).at(hook),
  };
}

class IptablesWalk {
  readonly #packet: WalkedPacket;
  readonly #chains: ReadonlyMap<ChainId, readonly IptRule[]>;
  readonly #host: WalkHost;

  constructor(packet: WalkedPacket, chains: ReadonlyMap<ChainId, readonly IptRule[]>, host: WalkHost) {
    this.#packet = packet;
    this.#chains = chains;
    this.#host = host;
  }

  at(hook: WalkHook): Verdict {
    for (const table of IPT_TABLES) {
      const verdict = this.#base(table, hook.toUpperCase());
      if (verdict !== 'continue' && verdict !== 'accept') return verdict;
    }
    return 'accept';
  }

  /** A built-in chain: of its rules, the jumps to ours. */
  #base(table: IptTable, from: string): Verdict | 'continue' {
    const rules = JUMPS.filter((jump) => jump.table === table && jump.from === from).map(({ rule }) => rule);
    return this.#rules(table, from, rules, 0);
  }

  #chain(table: IptTable, name: string, depth: number): Verdict | 'continue' {
    const rules = this.#chains.get(chainId(table, name));
    if (rules === undefined) throw new WalkError(`chain ${name} of table ${table} is not there`);
    if (depth > MAX_DEPTH) throw new WalkError(`chain ${name}: more than ${MAX_DEPTH} jumps`);
    return this.#rules(table, name, rules, depth);
  }

  #rules(table: IptTable, chain: string, rules: readonly IptRule[], depth: number): Verdict | 'continue' {
    const packet = this.#packet;
    for (const rule of rules) {
      if (!this.#matches(rule)) continue;
      const { verdict, recent } = rule;
      const cause = { chain, rule: ruleText(rule, packet.family) };
      if (recent?.do === 'set')
        packet.learn(cause, { map: recent.list, key: [packet.sent.source], value: '' });
      switch (verdict.do) {
        case 'return':
          return 'continue';
        case 'jump': {
          const inner = this.#chain(table, verdict.chain, depth + 1);
          if (inner !== 'continue') return inner;
          break;
        }
        case 'goto':
          packet.note(cause, `goes to ${verdict.chain}`);
          return this.#chain(table, verdict.chain, depth + 1);
        case 'drop':
          return packet.drop(cause);
        case 'reject':
          return packet.reject(cause, verdict.with === 'tcp-reset' ? 'tcp reset' : verdict.with);
        case 'masquerade':
          return packet.masquerade(cause);
        case 'dnat':
          return packet.translate(cause, verdict.address, verdict.port);
      }
    }
    return 'continue';
  }

  #matches(rule: IptRule): boolean {
    const { sent, destination, destinationPort, translated } = this.#packet;
    const { source, protocol } = sent;
    const { original, probability, recent } = rule;
    if (rule.source !== undefined && !prefixContains(rule.source, source)) return false;
    if (rule.destination !== undefined && !prefixContains(rule.destination, destination)) return false;
    if (rule.protocol !== undefined && rule.protocol !== protocol) return false;
    if (rule.port !== undefined && rule.port !== destinationPort) return false;
    if (rule.local !== undefined)
      if (!this.#host.isLocal(rule.local === 'source' ? source : destination)) return false;
    if (rule.state === 'DNAT' && !translated) return false;
    if (original !== undefined) {
      if (!prefixContains(original.destination, sent.destination)) return false;
      if (original.port !== undefined && original.port !== sent.destinationPort) return false;
    }
    if (probability !== undefined && this.#host.random(Math.round(1 / probability)) !== 0) return false;
    return recent?.do !== 'update' || this.#host.recall?.(recent.list, [source]) !== undefined;
  }
}
