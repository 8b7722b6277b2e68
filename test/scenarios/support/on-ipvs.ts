import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lackingMechanisms } from './lacking-mechanisms.ts';
import { PROGRAM } from './program.ts';
import { output } from './run.ts';

/** The cases of `FILE.test.ts` in labs whose Services are carried by IPVS, on a kernel that has it: as a rule the virtual machine's. */
export async function onIpvs(file: string): Promise<void> {
  process.env['PODWAY_TEST_PROXY'] = 'ipvs';
  const { PROXY } = await import('./proxy.ts');
  assert.equal(PROXY, 'ipvs', 'it was read before: the cases would show another mechanism');
  const lacking = lackingMechanisms(await output([...PROGRAM, 'agent', '--probe'])).get('ipvs');
  if (lacking === undefined) await import(`../${file}.test.ts`);
  else test(`${file} on IPVS`, { skip: lacking }, () => {});
}
