import { hostPrefix, type IpFamily, type IpPrefix, parseIp, parsePrefix } from '#ip';
import { otherWork } from '#runtime';
import { PROTOCOLS } from '../../table/transport.ts';
import type { IptRule, IptVerdict } from './model.ts';
import { RuleWords, UnknownIptablesError } from './rule-words.ts';
import { REJECT_WORDS, WHOLE_ADDRESS } from './text.ts';

/** One table as iptables-save prints it: chains in order, each rule without its `-A CHAIN`. */
export type SavedTable = ReadonlyMap<string, readonly string[]>;

/** Lines between other work: some milliseconds. */
const LINES = 4_000;

/** @param text of one table or of none; counters are left out. @throws UnknownIptablesError for a line of another kind */
export async function parseSave(text: string): Promise<SavedTable> {
  const chains = new Map<string, string[]>();
  for (const [i, line] of text.split('\n').entries()) {
    if (i % LINES === LINES - 1) await otherWork();
    if (line === '' || line.startsWith('#') || line.startsWith('*') || line === 'COMMIT') continue;
    const declared = /^:(\S+) \S+ \[\d+:\d+\]$/.exec(line)?.[1];
    if (declared !== undefined) {
      chains.set(declared, []);
      continue;
    }
    const [, name = '', rule = ''] = /^-A (\S+)(?: (.*))?$/.exec(line) ?? [];
    const chain = chains.get(name);
    if (chain === undefined) throw new UnknownIptablesError(line, name);
    chain.push(rule);
  }
  return chains;
}

/** Reads a rule whatever the order of its matches: versions of iptables differ in that. @throws UnknownIptablesError */
export function parseRule(text: string, family: IpFamily): IptRule {
  const words = new RuleWords(text);
  const rule: RuleInProgress = { verdict: { do: 'return' } };
  for (;;)
    switch (words.next()) {
      case '-s':
        rule.source = words.address(prefix);
        break;
      case '-d':
        rule.destination = words.address(prefix);
        break;
      case '-p':
        rule.protocol = words.oneOf(...PROTOCOLS);
        break;
      case '-m':
        readMatch(words, rule, family);
        break;
      case '-g':
        rule.verdict = { do: 'goto', chain: words.next() };
        return words.end(rule);
      case '-j':
        rule.verdict = readVerdict(words, family);
        return words.end(rule);
      default:
        words.unknown();
    }
}

type RuleInProgress = { -readonly [key in keyof IptRule]: IptRule[key] };

/** The module's name, and what it says. */
function readMatch(words: RuleWords, rule: RuleInProgress, family: IpFamily): void {
  const module = words.oneOf(...PROTOCOLS, 'addrtype', 'conntrack', 'statistic', 'recent', 'comment');
  switch (module) {
    case 'addrtype':
      rule.local = words.oneOf('--src-type', '--dst-type') === '--src-type' ? 'source' : 'destination';
      words.expect('LOCAL');
      return;
    case 'conntrack':
      readConntrack(words, rule);
      return;
    case 'statistic':
      words.expect('--mode', 'random', '--probability');
      rule.probability = words.number();
      return;
    case 'recent': {
      const seconds = words.oneOf('--set', '--update') === '--set' ? undefined : readSeconds(words);
      words.expect('--name');
      const list = words.next();
      words.expect('--mask', WHOLE_ADDRESS[family], '--rsource');
      rule.recent = seconds === undefined ? { do: 'set', list } : { do: 'update', list, seconds };
      return;
    }
    case 'comment':
      words.expect('--comment');
      rule.comment = words.next();
      return;
    default:
      words.expect('--dport');
      rule.port = words.number();
  }
}

function readConntrack(words: RuleWords, rule: RuleInProgress): void {
  if (words.oneOf('--ctstate', '--ctorigdst') === '--ctstate') {
    rule.state = words.oneOf('NEW', 'DNAT');
    return;
  }
  const destination = words.address(prefix);
  if (words.ahead !== '--ctorigdstport') rule.original = { destination };
  else {
    words.next();
    rule.original = { destination, port: words.number() };
  }
}

function readSeconds(words: RuleWords): number {
  words.expect('--seconds');
  const seconds = words.number();
  words.expect('--reap');
  return seconds;
}

function readVerdict(words: RuleWords, family: IpFamily): IptVerdict {
  const target = words.next();
  switch (target) {
    case 'RETURN':
      return { do: 'return' };
    case 'DROP':
      return { do: 'drop' };
    case 'MASQUERADE':
      return { do: 'masquerade' };
    case 'REJECT': {
      words.expect('--reject-with');
      const word = words.next();
      const kinds = ['tcp-reset', 'port-unreachable', 'host-unreachable'] as const;
      const kind = kinds.find((each) => REJECT_WORDS[family][each] === word);
      return kind === undefined ? words.unknown() : { do: 'reject', with: kind };
    }
    case 'DNAT': {
      words.expect('--to-destination');
      const [, host = '', port = ''] = /^\[?([^\]]+)\]?:(\d+)$/.exec(words.next()) ?? words.unknown();
      return { do: 'dnat', address: words.address(parseIp, host), port: Number(port) };
    }
    default:
      return /^[A-Z][A-Z0-9-]*-/.test(target) ? { do: 'jump', chain: target } : words.unknown();
  }
}

function prefix(text: string): IpPrefix {
  return text.includes('/') ? parsePrefix(text) : hostPrefix(parseIp(text));
}
