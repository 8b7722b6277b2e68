import { test } from 'node:test';
import { lackingMechanisms } from './support/lacking-mechanisms.ts';
import { output } from './support/run.ts';

/**
 * Cases of Kubernetes' network suite in labs whose Services are carried by IPVS: those about what others have got wrong with it. In the virtual
 * machine all take half an hour: `PODWAY_TEST_PROXY=ipvs node test/vm/run.ts -- node tools/test.ts test/scenarios/services-….test.ts`.
 */
const CASES = ['conntrack'];

// Read when a lab's support is loaded: what needs it is imported after this.
process.env['PODWAY_TEST_PROXY'] = 'ipvs';
const { PODWAY } = await import('./support/lab.ts');
const lacking = lackingMechanisms(await output([PODWAY, 'agent', '--probe'])).get('ipvs');
if (lacking === undefined) for (const name of CASES) await import(`./services-${name}.test.ts`);
else test('Services on IPVS', { skip: lacking }, () => {});
