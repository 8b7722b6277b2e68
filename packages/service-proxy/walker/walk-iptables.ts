import { familyOf, type IpAddress, prefixContains } from '#ip';
import { JUMPS } from '../backends/iptables/fixed-rules.ts';
import { type ChainId, chainId, type IptRule, type IptTable } from '../backends/iptables/model.ts';
import { ruleText } from '../backends/iptables/text.ts';
import { WalkError, type WalkHost, type WalkPacket, type WalkResult, type WalkStep } from './walk.ts';

type Verdict = 'continue' | 'accept' | 'drop' | { readonly reject: WalkResult['rejectedWith'] };

/** Our chains are at most four deep: more is a loop. */
const MAX_DEPTH = 16;

/**
 * Takes the first packet of a connection through our chains of iptables as the kernel would: {@link walk} for the other mechanism. Pure.
 * @param chains of one family
 */
export function walkIptables(
  packet: WalkPacket,
  chains: ReadonlyMap<ChainId, readonly IptRule[]>,
  host: WalkHost,
): WalkResult {
  return new Walk(packet, chains, host).run();
}

class Walk {
  readonly #packet: WalkPacket;
  readonly #chains: ReadonlyMap<ChainId, readonly IptRule[]>;
  readonly #host: WalkHost;
  readonly #steps: WalkStep[] = [];
  #destination: IpAddress;
  #destinationPort: number | undefined;
  #translated = false;
  #masqueraded = false;
  #learned: WalkResult['learned'];
  #hook = '';

  constructor(packet: WalkPacket, chains: ReadonlyMap<ChainId, readonly IptRule[]>, host: WalkHost) {
    this.#packet = packet;
    this.#chains = chains;
    this.#host = host;
    this.#destination = packet.destination;
    this.#destinationPort = packet.destinationPort;
  }

  run(): WalkResult {
    const fromNode = this.#packet.origin === 'node';
    this.#base('nat', fromNode ? 'OUTPUT' : 'PREROUTING');
    const local = this.#host.isLocal(this.#destination);
    const verdict = this.#base('filter', fromNode ? 'OUTPUT' : local ? 'INPUT' : 'FORWARD');
    if (verdict === 'drop') return this.#result('dropped');
    if (typeof verdict === 'object') return this.#result('rejected', verdict.reject);
    if (!local || fromNode) this.#base('nat', 'POSTROUTING');
    return this.#result(local ? 'delivered' : 'forwarded');
  }

  #result(outcome: WalkResult['outcome'], rejectedWith?: WalkResult['rejectedWith']): WalkResult {
    return {
      ...{ outcome, rejectedWith },
      destination: this.#destination,
      destinationPort: this.#destinationPort,
      masqueraded: this.#masqueraded,
      learned: this.#learned,
      steps: this.#steps,
    };
  }

  /** A built-in chain: of its rules, the jumps to ours. */
  #base(table: IptTable, from: string): Verdict {
    this.#hook = from.toLowerCase();
    const rules = JUMPS.filter((jump) => jump.table === table && jump.from === from).map(({ rule }) => rule);
    return this.#rules(table, from, rules, 0);
  }

  #chain(table: IptTable, name: string, depth: number): Verdict {
    const rules = this.#chains.get(chainId(table, name));
    if (rules === undefined) throw new WalkError(`chain ${name} of table ${table} is not there`);
    if (depth > MAX_DEPTH) throw new WalkError(`chain ${name}: more than ${MAX_DEPTH} jumps`);
    return this.#rules(table, name, rules, depth);
  }

  #rules(table: IptTable, name: string, rules: readonly IptRule[], depth: number): Verdict {
    for (const rule of rules) {
      if (!this.#matches(rule)) continue;
      const { verdict } = rule;
      const step = (effect: string) =>
        this.#steps.push({
          ...{ hook: this.#hook, chain: name, effect },
          rule: ruleText(rule, familyOf(this.#packet.destination)),
        });
      switch (verdict.do) {
        case 'return':
          return 'continue';
        case 'jump': {
          const inner = this.#chain(table, verdict.chain, depth + 1);
          if (inner !== 'continue') return inner;
          break;
        }
        case 'goto':
          step(`goes to ${verdict.chain}`);
          return this.#chain(table, verdict.chain, depth + 1);
        case 'drop':
          step('dropped');
          return 'drop';
        case 'reject':
          step(`answered with ${verdict.with}`);
          return { reject: verdict.with === 'tcp-reset' ? 'tcp reset' : verdict.with };
        case 'masquerade':
          this.#masqueraded = true;
          step("the source becomes the node's address on the way out");
          return 'accept';
        case 'dnat':
          this.#destination = verdict.address;
          this.#destinationPort = verdict.port;
          this.#translated = true;
          step(`the destination becomes ${verdict.address} port ${verdict.port}`);
          return 'accept';
      }
    }
    return 'continue';
  }

  /** In the order of the words: lists learn only when what is before them holds. */
  #matches(rule: IptRule): boolean {
    const { source, destination, protocol, destinationPort } = this.#packet;
    const { original, probability, recent } = rule;
    if (rule.source !== undefined && !prefixContains(rule.source, source)) return false;
    if (rule.destination !== undefined && !prefixContains(rule.destination, this.#destination)) return false;
    if (rule.protocol !== undefined && rule.protocol !== protocol) return false;
    if (rule.port !== undefined && rule.port !== this.#destinationPort) return false;
    if (rule.local !== undefined)
      if (!this.#host.isLocal(rule.local === 'source' ? source : this.#destination)) return false;
    if (rule.state === 'DNAT' && !this.#translated) return false;
    if (original !== undefined) {
      if (!prefixContains(original.destination, destination)) return false;
      if (original.port !== undefined && original.port !== destinationPort) return false;
    }
    if (probability !== undefined && this.#host.random(Math.round(1 / probability)) !== 0) return false;
    if (recent?.do === 'update') return this.#host.recall?.(recent.list, [source]) !== undefined;
    if (recent?.do === 'set') this.#learned = { map: recent.list, key: [source], value: '' };
    return true;
  }
}
