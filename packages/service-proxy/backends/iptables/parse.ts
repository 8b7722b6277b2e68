import { hostPrefix, InvalidAddressError, type IpFamily, type IpPrefix, parseIp, parsePrefix } from '#ip';
import { PodwayError } from '#runtime';
import { PROTOCOLS } from '../../table/transport.ts';
import type { IptRule, IptVerdict } from './model.ts';
import { REJECT_WORDS, WHOLE_ADDRESS } from './text.ts';

/** A rule that says something that the Service rules never say. */
export class UnknownIptablesError extends PodwayError {
  readonly code = 'UnknownIptables';
  constructor(rule: string, at: string) {
    super(`iptables rule ${JSON.stringify(rule)}: ${JSON.stringify(at)} is not understood`);
  }
}

/** One table as iptables-save prints it: chains in order, each rule without its `-A CHAIN`. */
export type SavedTable = ReadonlyMap<string, readonly string[]>;

/** @param text of one table or of none; counters are left out. @throws UnknownIptablesError for a line of another kind */
export function parseSave(text: string): SavedTable {
  const chains = new Map<string, string[]>();
  for (const line of text.split('\n')) {
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
  const words = split(text);
  let at = 0;
  const unknown = (): never => {
    throw new UnknownIptablesError(text, words[at - 1] ?? '');
  };
  const next = (): string => words[at++] ?? unknown();
  const expect = (word: string) => void (next() === word || unknown());
  const number = (): number => {
    const value = Number(next());
    return Number.isFinite(value) ? value : unknown();
  };
  const oneOf = <T extends string>(...known: readonly T[]): T => {
    const word = next();
    return known.find((each) => each === word) ?? unknown();
  };
  const address = <T>(parse: (word: string) => T, word = next()): T => {
    try {
      return parse(word);
    } catch (error) {
      if (error instanceof InvalidAddressError) return unknown();
      throw error;
    }
  };
  const protocol = () => oneOf(...PROTOCOLS);
  const rule: { -readonly [key in keyof IptRule]: IptRule[key] } = { verdict: { do: 'return' } };
  /** Matches by their module's name; it has been read. */
  const matches: Readonly<Record<string, () => void>> = {
    ...Object.fromEntries(PROTOCOLS.map((name) => [name, port])),
    addrtype() {
      rule.local = oneOf('--src-type', '--dst-type') === '--src-type' ? 'source' : 'destination';
      expect('LOCAL');
    },
    conntrack() {
      if (oneOf('--ctstate', '--ctorigdst') === '--ctstate') {
        rule.state = oneOf('NEW', 'DNAT');
        return;
      }
      const destination = address(prefix);
      if (words[at] !== '--ctorigdstport') rule.original = { destination };
      else {
        at++;
        rule.original = { destination, port: number() };
      }
    },
    statistic() {
      for (const word of ['--mode', 'random', '--probability']) expect(word);
      rule.probability = number();
    },
    recent() {
      const seconds = oneOf('--set', '--update') === '--set' ? undefined : secondsAndReap();
      expect('--name');
      const list = next();
      for (const word of ['--mask', WHOLE_ADDRESS[family], '--rsource']) expect(word);
      rule.recent = seconds === undefined ? { do: 'set', list } : { do: 'update', list, seconds };
    },
    comment() {
      expect('--comment');
      rule.comment = next();
    },
  };
  function port() {
    expect('--dport');
    rule.port = number();
  }
  function secondsAndReap(): number {
    expect('--seconds');
    const seconds = number();
    expect('--reap');
    return seconds;
  }

  for (;;)
    switch (next()) {
      case '-s':
        rule.source = address(prefix);
        break;
      case '-d':
        rule.destination = address(prefix);
        break;
      case '-p':
        rule.protocol = protocol();
        break;
      case '-m':
        (matches[next()] ?? unknown)();
        break;
      case '-g':
        rule.verdict = { do: 'goto', chain: next() };
        return at === words.length ? rule : unknown();
      case '-j':
        rule.verdict = verdict();
        return at === words.length ? rule : unknown();
      default:
        unknown();
    }

  function verdict(): IptVerdict {
    const target = next();
    switch (target) {
      case 'RETURN':
        return { do: 'return' };
      case 'DROP':
        return { do: 'drop' };
      case 'MASQUERADE':
        return { do: 'masquerade' };
      case 'REJECT': {
        expect('--reject-with');
        const word = next();
        const kinds = ['tcp-reset', 'port-unreachable', 'host-unreachable'] as const;
        const kind = kinds.find((each) => REJECT_WORDS[family][each] === word);
        return kind === undefined ? unknown() : { do: 'reject', with: kind };
      }
      case 'DNAT': {
        expect('--to-destination');
        const [, host = '', port = ''] = /^\[?([^\]]+)\]?:(\d+)$/.exec(next()) ?? unknown();
        return { do: 'dnat', address: address(parseIp, host), port: Number(port) };
      }
      default:
        return /^[A-Z][A-Z0-9-]*-/.test(target) ? { do: 'jump', chain: target } : unknown();
    }
  }
}

function prefix(text: string): IpPrefix {
  return text.includes('/') ? parsePrefix(text) : hostPrefix(parseIp(text));
}

/** Words; a quoted one is one word, with `\` before quotes and backslashes in it. */
function split(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, plain]) => plain ?? (quoted ?? '').replaceAll(/\\(.)/g, '$1'),
  );
}
