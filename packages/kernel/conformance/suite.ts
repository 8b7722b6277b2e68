import { describe } from 'node:test';
import type { Kernel } from '../ports/kernel.ts';
import { addressesConformance } from './addresses.ts';
import { conntrackConformance } from './conntrack.ts';
import { Fixture } from './fixture.ts';
import { iptablesConformance } from './iptables.ts';
import { linksConformance } from './links.ts';
import { monitorConformance } from './monitor.ts';
import { namespacesConformance } from './namespaces.ts';
import { neighboursConformance } from './neighbours.ts';
import { nftConformance } from './nft.ts';
import { routesConformance } from './routes.ts';
import { shapingConformance } from './shaping.ts';
import { sysctlConformance } from './sysctl.ts';

/** What every adapter of the kernel ports does, and refuses. Runs on Linux and on the fake; for IPVS see {@link ipvsConformance}. */
export function kernelConformance(name: string, kernel: Kernel): void {
  describe(`${name}: conformance`, () => {
    const given = new Fixture(kernel);
    namespacesConformance(given);
    linksConformance(given);
    addressesConformance(given);
    routesConformance(given);
    neighboursConformance(given);
    shapingConformance(given);
    sysctlConformance(given);
    nftConformance(given);
    iptablesConformance(given);
    conntrackConformance(given);
    monitorConformance(given);
  });
}
