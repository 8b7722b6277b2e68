import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IP_FAMILIES, type IpFamily } from '#ip';
import type { IptablesVariant } from '../ports/iptables.ts';
import { type Fixture, refusesLater } from './fixture.ts';

export function iptablesConformance(given: Fixture): void {
  const installed = given.kernel.currentNetns().iptables.variants();
  for (const variant of ['nft', 'legacy'] as const)
    for (const family of IP_FAMILIES)
      describe(
        `iptables, ${variant}, ${family}`,
        {
          skip: !installed.includes(variant) && `iptables-${variant}-restore is not installed`,
        },
        () => suite(given, variant, family),
      );
}

function suite(given: Fixture, variant: IptablesVariant, family: IpFamily): void {
  const restore = (...lines: string[]) =>
    given.netns.iptables.restore(variant, family, [...lines, ''].join('\n'));
  const nat = (...lines: string[]) => restore('*nat', ...lines, 'COMMIT');
  /** Our chains' declarations in order of name, then all rules. */
  const listed = async (netns = given.netns) => {
    const lines = (await netns.iptables.save(variant, family, 'nat')).split('\n');
    const ours = lines.filter((line) => line.startsWith(':PODWAY')).map((line) => line.split(' ')[0] ?? '');
    return [...ours.sort(), ...lines.filter((line) => line.startsWith('-A'))];
  };
  const FULL = [':PODWAY-A - [0:0]', ':PODWAY-B - [0:0]', '-A PODWAY-A -p tcp -j PODWAY-B'];

  test('restore: makes chains in one namespace, adds to what is there, empties what it names', async () => {
    await nat(...FULL, '-I PREROUTING -j PODWAY-A');
    assert.deepEqual(await listed(), [
      ':PODWAY-A',
      ':PODWAY-B',
      '-A PREROUTING -j PODWAY-A',
      '-A PODWAY-A -p tcp -j PODWAY-B',
    ]);
    assert.deepEqual(await listed(given.other), []);
    await nat(':PODWAY-B - [0:0]', '-A PODWAY-B -p udp -j RETURN', '-I PREROUTING -p udp -g PODWAY-B');
    await nat(':PODWAY-B - [0:0]', '-A PODWAY-B -p tcp -j RETURN');
    assert.deepEqual(await listed(), [
      ':PODWAY-A',
      ':PODWAY-B',
      '-A PREROUTING -p udp -g PODWAY-B',
      '-A PREROUTING -j PODWAY-A',
      '-A PODWAY-A -p tcp -j PODWAY-B',
      '-A PODWAY-B -p tcp -j RETURN',
    ]);
    await nat('-D PREROUTING -p udp -g PODWAY-B', '-D PREROUTING -j PODWAY-A');
    await nat(':PODWAY-A - [0:0]', ':PODWAY-B - [0:0]', '-X PODWAY-A', '-X PODWAY-B');
    assert.deepEqual(await listed(), []);
  });

  test('restore: all of a table or nothing; the tables before it stay', async () => {
    await nat(...FULL);
    await refusesLater('EINVAL', () => nat('-A PODWAY-B -p tcp -j RETURN', '-D PODWAY-A -p udp -j PODWAY-B'));
    await refusesLater('EINVAL', () => nat('-A PODWAY-A -j PODWAY-NONE'));
    await refusesLater('EINVAL', () => nat('-A PODWAY-NONE -j RETURN'));
    await refusesLater('EINVAL', () => nat(':PODWAY-B - [0:0]', '-X PODWAY-B'));
    await refusesLater('EINVAL', () => nat(`:${'X'.repeat(29)} - [0:0]`));
    await refusesLater('EINVAL', () => restore('*none', 'COMMIT'));
    assert.deepEqual(await listed(), [':PODWAY-A', ':PODWAY-B', '-A PODWAY-A -p tcp -j PODWAY-B']);
    await refusesLater('EINVAL', () =>
      restore('*nat', '-A PODWAY-B -p udp -j RETURN', 'COMMIT', '*filter', '-X PODWAY-NONE', 'COMMIT'),
    );
    assert.ok((await listed()).includes('-A PODWAY-B -p udp -j RETURN'));
  });

  test('restore: -C asks whether a rule is there', async () => {
    await nat(...FULL);
    await nat('-C PODWAY-A -p tcp -j PODWAY-B');
    await refusesLater('EINVAL', () => nat('-C PODWAY-A -p udp -j PODWAY-B'));
  });

  test('test: refuses what restore refuses, and leaves nothing', async () => {
    await given.netns.iptables.test(variant, family, ['*nat', ...FULL, 'COMMIT', ''].join('\n'));
    await refusesLater('EINVAL', () =>
      given.netns.iptables.test(variant, family, '*nat\n-A NONE -j RETURN\nCOMMIT\n'),
    );
    assert.deepEqual(await listed(), []);
  });
}
