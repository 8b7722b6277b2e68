import { describe } from 'node:test';
import { IptablesBackend } from '../backends/iptables/backend.ts';
import { describeMechanism } from './mechanism.ts';

/** A kernel from before ip_tables was an option to leave out: the virtual machine's. Elsewhere iptables.kernel.test.ts shows the same. */
describe('iptables-legacy in the virtual machine', {
  skip: process.env['PODWAY_TEST_VM'] === undefined && 'iptables.kernel.test.ts shows it on this kernel',
}, () => {
  describeMechanism({
    name: 'iptables-legacy',
    create: (netns) => new IptablesBackend(netns.iptables, netns.nft, 'legacy'),
  });
});
