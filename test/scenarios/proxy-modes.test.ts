import { suite } from 'node:test';
import { PROXY_MECHANISMS } from '#service-proxy';
import { PODWAY, startLab } from './support/lab.ts';
import { lackingMechanisms } from './support/lacking-mechanisms.ts';
import { proxyModeCases } from './support/proxy-mode-cases.ts';

/** Asked where a lab's agents run. */
async function lackingHere(): Promise<ReadonlyMap<string, string>> {
  await using lab = await startLab({ nodes: 1 });
  return lackingMechanisms(await lab.exec('node1', PODWAY, 'agent', '--probe'));
}

const lacking = await lackingHere();

for (const mechanism of PROXY_MECHANISMS)
  suite(`lab up --proxy ${mechanism}`, { skip: lacking.get(mechanism) ?? false }, () =>
    proxyModeCases(mechanism),
  );
