import { describeMechanism } from './mechanism.ts';
import { testedMechanism } from './tested-mechanism.ts';

/** What IPVS cannot do, by the test's name. */
const LIMITS: ReadonlyMap<string, string> = new Map([
  [
    'after the timeout the client is free',
    'IPVS frees a client that long after its last connection is forgotten, and forgets a closed TCP connection after two minutes (net/netfilter/ipvs/ip_vs_proto_tcp.c); services-affinity.test.ts waits so long',
  ],
]);

describeMechanism(testedMechanism('ipvs', (test) => LIMITS.get(test)));
