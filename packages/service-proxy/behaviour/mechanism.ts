import { after, before, describe } from 'node:test';
import { IP_FAMILIES, type IpFamily } from '#ip';
import { linuxKernel, type NetworkNamespace } from '#kernel';
import { silentLogger, systemClock } from '#runtime';
import type { ProxyBackend } from '../backend.ts';
import { createBackend, type ProxyMechanism } from '../backends/mechanisms.ts';
import { describeAffinity } from './affinity.ts';
import { describeChurn } from './churn.ts';
import { expectedOutcome } from './expected-outcome.ts';
import { describeFlows } from './flows.ts';
import { NamespaceLab } from './namespace-lab.ts';
import { NamespaceWorld } from './namespace-world.ts';
import { describeBehaviour } from './suite.ts';

/** A way to carry Services as the suite tries it: in a real node's namespace, with real connections. */
export interface TestedMechanism {
  readonly name: string;
  readonly create: (node: NetworkNamespace) => ProxyBackend;
  /** Why a test cannot be shown with it, for people; undefined: it can. */
  readonly skip?: (test: string, family: IpFamily) => string | undefined;
  /** It never passes a client's address on: where the others keep it, endpoints see another one. */
  readonly replacesSources?: boolean;
  /** It serves as long as its process lives, and no longer. */
  readonly endsWithProcess?: boolean;
}

/** As the agent makes it. */
export function testedMechanism(name: ProxyMechanism, skip?: TestedMechanism['skip']): TestedMechanism {
  return {
    name,
    create: (netns) => createBackend(name, { netns, clock: systemClock, logger: silentLogger }),
    ...(skip && { skip }),
  };
}

/** Every behaviour that all mechanisms share. */
export function describeMechanism(mechanism: TestedMechanism): void {
  for (const family of IP_FAMILIES)
    describe(family, () => {
      let lab: NamespaceLab;
      before(async () => {
        lab = new NamespaceLab(linuxKernel(), family);
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
