import { after, before } from 'node:test';
import { linuxKernel } from '#kernel';
import { NftablesBackend } from '../backends/nftables/backend.ts';
import { NamespaceLab } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import { describeBehaviour } from './suite.ts';

let lab: NamespaceLab;
before(async () => {
  lab = new NamespaceLab(linuxKernel());
  await lab.serve();
});
after(() => lab[Symbol.asyncDispose]());

describeBehaviour(
  'nftables, in namespaces',
  async () => new NamespaceWorld(lab, new NftablesBackend(lab.node.nft)),
  (name) => (name.includes('SCTP') ? 'this kernel may have no SCTP sockets; the walker shows it' : undefined),
);
