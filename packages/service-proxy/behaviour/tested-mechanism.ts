import type { IpFamily } from '#ip';
import type { NetworkNamespace } from '#kernel';
import { silentLogger, systemClock } from '#runtime';
import type { ProxyBackend } from '../backend.ts';
import { createBackend, type ProxyMechanism } from '../backends/mechanisms.ts';

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
