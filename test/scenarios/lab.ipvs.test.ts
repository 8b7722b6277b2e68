import { suite } from 'node:test';
import type { ProxyMechanism } from '#service-proxy';
import { PODWAY } from './support/lab.ts';
import { lackingMechanisms } from './support/lacking-mechanisms.ts';
import { proxyModeCases } from './support/proxy-mode-cases.ts';
import { output } from './support/run.ts';

const MECHANISM: ProxyMechanism = 'nftables';

/** A lab on a kernel with ip_vs: as a rule the one of the virtual machine, an older one than most. */
const skip = lackingMechanisms(await output([PODWAY, 'agent', '--probe'])).get(MECHANISM) ?? false;

suite(`lab up --proxy ${MECHANISM}, where ip_vs is`, { skip }, () => proxyModeCases(MECHANISM));
