import { test } from 'node:test';
import { lackingMechanisms } from './support/lacking-mechanisms.ts';
import { output } from './support/run.ts';

/** The cases of Kubernetes' network suite that are about Services, in labs whose Services are carried by IPVS. */
const CASES = ['cluster-ip', 'node-port', 'affinity', 'policy', 'conntrack', 'restart'];

// Read when a lab's support is loaded: what needs it is imported after this.
process.env['PODWAY_TEST_PROXY'] = 'ipvs';
const { PODWAY } = await import('./support/lab.ts');
const lacking = lackingMechanisms(await output([PODWAY, 'agent', '--probe'])).get('ipvs');
if (lacking === undefined) for (const name of CASES) await import(`./services-${name}.test.ts`);
else test('Services on IPVS', { skip: lacking }, () => {});
