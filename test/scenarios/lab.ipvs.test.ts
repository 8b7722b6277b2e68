import { suite } from 'node:test';
import { lackingMechanisms } from './support/lacking-mechanisms.ts';
import { PROGRAM } from './support/program.ts';
import { proxyModeCases } from './support/proxy-mode-cases.ts';
import { output } from './support/run.ts';

/** A lab on a kernel with ip_vs: as a rule the one of the virtual machine, an older one than most. */
const lacking = lackingMechanisms(await output([...PROGRAM, 'agent', '--probe']));

suite('lab up --proxy ipvs, where ip_vs is', { skip: lacking.get('ipvs') ?? false }, () =>
  proxyModeCases('ipvs'),
);
