import { describeMechanism } from './mechanism.ts';
import { testedMechanism } from './tested-mechanism.ts';

/** What a relay in a process cannot do, by a part of the test's name. */
const CANNOT: readonly (readonly [test: string, reason: string])[] = [
  ['SCTP', 'only TCP and UDP are relayed'],
  [
    'a restart keeps what clients are bound to',
    'who is bound to what is in the memory of the process that ends',
  ],
  ['restart: flows to endpoints', 'a flow is a socket of the process that ends'],
  [
    'a flow past the Services is left alone',
    'no rule of it asks the kernel to track flows, so none can be lost',
  ],
];

describeMechanism({
  ...testedMechanism('userspace', (test) => CANNOT.find(([part]) => test.includes(part))?.[1]),
  replacesSources: true,
  endsWithProcess: true,
});
