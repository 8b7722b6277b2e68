import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IpFamily } from '#ip';
import { parseRule, parseSave } from './parse.ts';
import { UnknownIptablesError } from './rule-words.ts';
import { probabilityText, ruleText } from './text.ts';

/** As iptables 1.8.9 prints them, in both variants. */
const RULES: Readonly<Record<IpFamily, readonly string[]>> = {
  IPv4: [
    '-m comment --comment "Services, by podway" -j PODWAY-SERVICES',
    '-m conntrack --ctstate DNAT -m comment --comment plain -j PODWAY-POSTROUTING',
    '-d 10.96.3.7/32 -p tcp -m tcp --dport 80 -m comment --comment "default/web:http" -g PODWAY-SVC-1',
    '-d 10.96.3.7/32 -p sctp -m sctp --dport 80 -j DROP',
    '-s 10.1.0.0/16 -g PODWAY-OWN-1',
    '-m addrtype --src-type LOCAL -j MASQUERADE',
    '-m addrtype --dst-type LOCAL -j RETURN',
    '-p tcp -m recent --update --seconds 10800 --reap --name PODWAY-1 --mask 255.255.255.255 --rsource -j DNAT --to-destination 10.1.0.1:8080',
    '-p udp -m statistic --mode random --probability 0.33333333349 -m recent --set --name PODWAY-1 --mask 255.255.255.255 --rsource -j DNAT --to-destination 10.1.0.1:8080',
    '-s 10.1.0.1/32 -d 10.1.0.1/32 -j MASQUERADE',
    '-m conntrack --ctorigdst 10.96.3.0/24 -j PODWAY-SRC-1',
    '-p tcp -m conntrack --ctorigdst 10.96.3.7 --ctorigdstport 80 -g PODWAY-MASQ-SELF',
    '-p tcp -j REJECT --reject-with tcp-reset',
    '-j REJECT --reject-with icmp-port-unreachable',
    '-d 10.96.0.0/16 -j REJECT --reject-with icmp-host-unreachable',
  ],
  IPv6: [
    '-d fd00::10:96:3:7/128 -p tcp -m tcp --dport 80 -g PODWAY-SVC-1',
    '-p tcp -m recent --set --name PODWAY-1 --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource -j DNAT --to-destination [fd00::10:1:0:1]:8080',
    '-m conntrack --ctorigdst fd00::10:96:3:7 -g PODWAY-MASQ-CLUSTER',
    '-d fd00::10:96:0:0/96 -j REJECT --reject-with icmp6-addr-unreachable',
  ],
};

describe('rules as text', () => {
  for (const [family, rules] of Object.entries(RULES) as [IpFamily, readonly string[]][])
    test(`ruleText, parseRule: what iptables-save prints, ${family}`, () => {
      for (const rule of rules) assert.equal(ruleText(parseRule(rule, family), family), rule);
    });

  test('parseRule: the order of matches does not matter', () => {
    assert.equal(
      ruleText(
        parseRule('-p tcp -m comment --comment x -m tcp --dport 80 -d 10.0.0.1/32 -j DROP', 'IPv4'),
        'IPv4',
      ),
      '-d 10.0.0.1/32 -p tcp -m tcp --dport 80 -m comment --comment x -j DROP',
    );
  });

  test('parseRule: anything that is never written is an error', () => {
    for (const rule of [
      '! -s 10.0.0.0/8 -j RETURN',
      '-i eth0 -j PODWAY-SERVICES',
      '-j MASQUERADE --random-fully',
      '-j ACCEPT',
      '-p icmp -j RETURN',
      '-m conntrack --ctstate NEW,RELATED -j RETURN',
      '-j DNAT --to-destination 10.0.0.1-10.0.0.9:80',
      '-p tcp -m tcp --dport 80:90 -j RETURN',
      '-p tcp',
      '',
    ])
      assert.throws(() => parseRule(rule, 'IPv4'), UnknownIptablesError, rule);
  });

  test('probabilityText: what the kernel keeps of it', () => {
    assert.deepEqual(
      [1, 2, 3, 7, 10_000].map((n) => probabilityText(1 / n)),
      ['1.00000000000', '0.50000000000', '0.33333333349', '0.14285714272', '0.00009999983'],
    );
  });

  test('parseSave: chains and their rules, counters left out', async () => {
    const saved = await parseSave(
      '# Generated\n*nat\n:PREROUTING ACCEPT [7:420]\n:X - [0:0]\n-A PREROUTING -j X\n-A X\nCOMMIT\n# Completed\n',
    );
    assert.deepEqual(
      [...saved],
      [
        ['PREROUTING', ['-j X']],
        ['X', ['']],
      ],
    );
    assert.deepEqual([...(await parseSave(''))], []);
    await assert.rejects(parseSave('*nat\n-A NONE -j X\n'), UnknownIptablesError);
  });
});
