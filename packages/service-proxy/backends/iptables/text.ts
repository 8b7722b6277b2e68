import { type IpFamily, type IpPrefix, prefixLength } from '#ip';
import type { IptRule, IptVerdict } from './model.ts';

/** Everything of a rule after `-A CHAIN`, word by word as iptables-save prints it. */
export function ruleText(rule: IptRule, family: IpFamily): string {
  const words: (string | number)[] = [];
  const { source, destination, protocol, port, local, state, original, probability, recent, comment } = rule;
  if (!isEverything(source)) words.push('-s', source);
  if (!isEverything(destination)) words.push('-d', destination);
  if (protocol !== undefined) words.push('-p', protocol);
  if (protocol !== undefined && port !== undefined) words.push('-m', protocol, '--dport', port);
  if (local !== undefined)
    words.push('-m', 'addrtype', local === 'source' ? '--src-type' : '--dst-type', 'LOCAL');
  if (state !== undefined) words.push('-m', 'conntrack', '--ctstate', state);
  if (original !== undefined) {
    words.push('-m', 'conntrack', '--ctorigdst', original.destination.replace(HOST_LENGTH[family], ''));
    if (original.port !== undefined) words.push('--ctorigdstport', original.port);
  }
  if (probability !== undefined)
    words.push('-m', 'statistic', '--mode', 'random', '--probability', probabilityText(probability));
  if (recent !== undefined) {
    words.push('-m', 'recent', ...(recent.do === 'set' ? ['--set'] : ['--update']));
    if (recent.do === 'update') words.push('--seconds', recent.seconds, '--reap');
    words.push('--name', recent.list, '--mask', WHOLE_ADDRESS[family], '--rsource');
  }
  if (comment !== undefined) words.push('-m', 'comment', '--comment', quoted(comment));
  words.push(...verdictWords(rule.verdict, family));
  return words.join(' ');
}

function isEverything(prefix: IpPrefix | undefined): prefix is undefined {
  return prefix === undefined || prefixLength(prefix) === 0;
}

/** The kernel keeps 31 bits of a probability, and iptables-save prints 11 digits of those. */
export function probabilityText(probability: number): string {
  return (Math.round(probability * 2 ** 31) / 2 ** 31).toFixed(11);
}

export const REJECT_WORDS: Readonly<
  Record<IpFamily, Readonly<Record<'tcp-reset' | 'port-unreachable' | 'host-unreachable', string>>>
> = {
  IPv4: {
    'tcp-reset': 'tcp-reset',
    'port-unreachable': 'icmp-port-unreachable',
    'host-unreachable': 'icmp-host-unreachable',
  },
  IPv6: {
    'tcp-reset': 'tcp-reset',
    'port-unreachable': 'icmp6-port-unreachable',
    'host-unreachable': 'icmp6-addr-unreachable',
  },
};

function verdictWords(verdict: IptVerdict, family: IpFamily): readonly string[] {
  switch (verdict.do) {
    case 'jump':
      return ['-j', verdict.chain];
    case 'goto':
      return ['-g', verdict.chain];
    case 'return':
      return ['-j', 'RETURN'];
    case 'drop':
      return ['-j', 'DROP'];
    case 'masquerade':
      return ['-j', 'MASQUERADE'];
    case 'reject':
      return ['-j', 'REJECT', '--reject-with', REJECT_WORDS[family][verdict.with]];
    case 'dnat': {
      const address = family === 'IPv4' ? verdict.address : `[${verdict.address}]`;
      return ['-j', 'DNAT', '--to-destination', `${address}:${verdict.port}`];
    }
  }
}

const HOST_LENGTH: Readonly<Record<IpFamily, RegExp>> = { IPv4: /\/32$/, IPv6: /\/128$/ };
export const WHOLE_ADDRESS: Readonly<Record<IpFamily, string>> = {
  IPv4: '255.255.255.255',
  IPv6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
};

/** iptables-save quotes words with anything but letters, digits, `_` and `-` in them. */
function quoted(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}
