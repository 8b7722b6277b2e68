import { after, before, describe } from 'node:test';
import { IP_FAMILIES } from '#ip';
import { linuxKernel } from '#kernel';
import { NftablesBackend } from '../backends/nftables/backend.ts';
import { NamespaceLab } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import { describeBehaviour } from './suite.ts';

const skip = (name: string) =>
  name.includes('SCTP')
    ? 'this kernel may have no SCTP sockets; the walker and raw packets (sctp.kernel.test.ts) show it'
    : undefined;

for (const family of IP_FAMILIES)
  describe(family, () => {
    let lab: NamespaceLab;
    before(async () => {
      lab = new NamespaceLab(linuxKernel(), family);
      await lab.serve();
    });
    after(() => lab[Symbol.asyncDispose]());

    const open = async () => new NamespaceWorld(lab, new NftablesBackend(lab.node.nft));
    describeBehaviour(`nftables, ${family}, in namespaces`, family, open, skip);
  });
