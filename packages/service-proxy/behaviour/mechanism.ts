import { after, before, describe } from 'node:test';
import { IP_FAMILIES } from '#ip';
import { sandboxedKernel } from '#kernel';
import { describeAffinity } from './affinity.ts';
import { describeChurn } from './churn.ts';
import { expectedOutcome } from './expected-outcome.ts';
import { describeFlows } from './flows.ts';
import { NamespaceLab } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import { describeBehaviour } from './suite.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

/** Every behaviour that all mechanisms share. */
export function describeMechanism(mechanism: TestedMechanism): void {
  for (const family of IP_FAMILIES)
    describe(family, () => {
      let lab: NamespaceLab;
      before(async () => {
        lab = new NamespaceLab(sandboxedKernel(), family);
        await lab.serve();
      });
      after(() => lab[Symbol.asyncDispose]());

      const title = `${mechanism.name}, ${family}, in namespaces`;
      const open = async () => new NamespaceWorld(lab, mechanism.create);
      describeBehaviour(title, family, open, {
        skip: (name) => withoutSctp(name) ?? mechanism.skip?.(name, family),
        expected: (outcome) => expectedOutcome(mechanism, outcome),
      });
    });
  describeAffinity(mechanism);
  describeFlows(mechanism);
  describeChurn(mechanism);
}

function withoutSctp(name: string): string | undefined {
  return name.includes('SCTP')
    ? 'this kernel may have no SCTP sockets; the walker and raw packets (sctp.kernel.test.ts) show it'
    : undefined;
}
