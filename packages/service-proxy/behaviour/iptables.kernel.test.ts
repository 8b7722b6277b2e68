import { describe } from 'node:test';
import { sandboxedKernel } from '#kernel';
import { IptablesBackend } from '../backends/iptables/backend.ts';
import { describeMechanism } from './mechanism.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

const installed = sandboxedKernel().currentNetns().iptables.variants();

for (const variant of ['nft', 'legacy'] as const)
  describe(`iptables-${variant}`, {
    skip: !installed.includes(variant) && `iptables-${variant}-restore is not installed`,
  }, () => {
    const mechanism: TestedMechanism = {
      name: `iptables-${variant}`,
      create: (netns) => new IptablesBackend(netns.iptables, netns.nft, variant),
    };
    describeMechanism(mechanism);
  });
