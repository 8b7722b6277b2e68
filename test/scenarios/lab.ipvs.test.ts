import { suite } from 'node:test';
import type { ProxyMechanism } from '#service-proxy';
import { PODWAY } from './support/lab.ts';
import { lackingMechanisms } from './support/lacking-mechanisms.ts';
import { proxyModeCases } from './support/proxy-mode-cases.ts';
import { output } from './support/run.ts';

const MECHANISMS: readonly ProxyMechanism[] = ['nftables', 'ipvs'];

/** A lab on a kernel with ip_vs: as a rule the one of the virtual machine, an older one than most. */
const lacking = lackingMechanisms(await output([PODWAY, 'agent', '--probe']));

for (const mechanism of MECHANISMS)
  suite(`lab up --proxy ${mechanism}, where ip_vs is`, { skip: lacking.get(mechanism) ?? false }, () =>
    proxyModeCases(mechanism),
  );
