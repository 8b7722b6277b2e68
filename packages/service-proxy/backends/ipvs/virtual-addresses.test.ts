import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip } from '#ip';
import { fakeKernel, type NetworkNamespace } from '#kernel';
import { VIP_LINK, VirtualAddresses } from './virtual-addresses.ts';

const FIRST = ip('10.96.0.1');
const SECOND = ip('10.96.0.2');
const SIXTH = ip('fd00:96::1');

const linkNames = ({ links }: NetworkNamespace) => links.list().map(({ name }) => name);
const boundTo = ({ addresses }: NetworkNamespace, link: string) =>
  addresses.list({ link }).map(({ address }) => address);

describe('VirtualAddresses', () => {
  test('prepare: a link that somebody has renamed is given its name again, with what is bound to it', async () => {
    const netns = fakeKernel().currentNetns();
    const addresses = new VirtualAddresses(netns);
    assert.equal(addresses.prepare(), 1);
    await addresses.change([FIRST, SECOND], []);
    assert.deepEqual([addresses.isIntact(), addresses.prepare()], [true, 0]);
    netns.links.set(VIP_LINK, { name: 'mine' });
    assert.equal(addresses.isIntact(), false);
    assert.equal(addresses.prepare(), 1);
    assert.equal(await addresses.change([], [SECOND]), 1);
    assert.deepEqual(linkNames(netns), ['lo', VIP_LINK]);
    assert.deepEqual([boundTo(netns, VIP_LINK), addresses.isIntact()], [[FIRST], true]);
    // While no agent runs, too: the next one finds it.
    netns.links.set(VIP_LINK, { name: 'mine' });
    const next = new VirtualAddresses(netns);
    next.observe();
    assert.equal(next.prepare(), 1);
    assert.equal(await next.change([SECOND], []), 2);
    assert.deepEqual([linkNames(netns), boundTo(netns, VIP_LINK)], [['lo', VIP_LINK], [SECOND]]);
  });

  test('change: an IPv6 address is deprecated, also one that another proxy has bound', async () => {
    const netns = fakeKernel().currentNetns();
    netns.links.add({ kind: 'dummy', name: VIP_LINK });
    for (const [address, prefixLength] of [
      [FIRST, 32],
      [SIXTH, 128],
    ] as const)
      netns.addresses.add({ link: VIP_LINK, address, prefixLength, noDad: true });
    const first = new VirtualAddresses(netns);
    first.observe();
    assert.equal(first.prepare(), 1);
    assert.equal(await first.change([FIRST, SIXTH], []), 1);
    const next = new VirtualAddresses(netns);
    next.observe();
    assert.equal(next.prepare() + (await next.change([FIRST, SIXTH], [])), 0);
    const [listed] = netns.addresses.list({ family: 'IPv6' });
    assert.deepEqual([listed?.address, listed?.deprecated, next.isIntact()], [SIXTH, true, true]);
  });
});
