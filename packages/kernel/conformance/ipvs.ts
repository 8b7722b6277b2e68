import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { parseIp as ip } from '#ip';
import type { IpvsChange, IpvsDestinationSpec, IpvsService } from '../ports/ipvs.ts';
import type { Kernel } from '../ports/kernel.ts';
import { Fixture, refuses } from './fixture.ts';

/** What every adapter of IPVS does, and refuses; apart from the rest, as not every kernel has ip_vs. */
export function ipvsConformance(name: string, kernel: Kernel): void {
  describe(`${name}: IPVS conformance`, () => {
    const given = new Fixture(kernel);
    const web: IpvsService = {
      ...{
        address: ip('10.96.0.1'),
        port: 80,
        protocol: 'TCP',
        scheduler: 'rr',
        persistentSeconds: undefined,
      },
    };
    const dns: IpvsService = {
      ...{ address: ip('fd00:96::a'), port: 53, protocol: 'UDP', scheduler: 'sh', persistentSeconds: 10_800 },
      ...{ persistencePrefix: 64, schedulerFlags: ['sched-1', 'sched-3'], onePacket: true },
    };
    const one: IpvsDestinationSpec = {
      ...{ address: ip('10.244.1.2'), port: 8080, weight: 1, forwarding: 'masquerade' },
    };
    const idle = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };
    // Without any IPv4 address a namespace takes no IPv4 destination.
    beforeEach(() => given.netns.links.set('lo', { up: true }));
    const services = async () =>
      [...(await given.netns.ipvs.listServices())].sort((a, b) => (text(a) < text(b) ? -1 : 1));
    const destinations = (service = web) =>
      [...given.netns.ipvs.listDestinations(service)].sort((a, b) => (text(a) < text(b) ? -1 : 1));

    test('addService, listServices: every field comes back, in this namespace alone', async () => {
      const { ipvs } = given.netns;
      assert.equal(ipvs.available(), true);
      assert.deepEqual(await services(), []);
      ipvs.addService(dns);
      ipvs.addService(web);
      ipvs.addService({ ...web, protocol: 'SCTP', persistentSeconds: 5, persistencePrefix: 32 });
      ipvs.addService({ ...web, port: 0, persistentSeconds: 300, persistencePrefix: 24 });
      assert.deepEqual(await services(), [
        { ...web, port: 0, persistentSeconds: 300, persistencePrefix: 24 },
        { ...web, protocol: 'SCTP', persistentSeconds: 5 },
        web,
        dns,
      ]);
      assert.deepEqual(await given.other.ipvs.listServices(), []);
      assert.deepEqual(await ipvs.connections(), []);
    });
    test('addService, setService, deleteService: a service is there once', async () => {
      const { ipvs } = given.netns;
      ipvs.addService(web);
      refuses('EEXIST', () => ipvs.addService({ ...web, scheduler: 'wrr' }));
      ipvs.addService({ ...web, protocol: 'UDP' });
      refuses('ESRCH', () => ipvs.setService({ ...web, port: 81 }));
      ipvs.addDestination(web, one);
      const changed: IpvsService = {
        ...{ ...web, scheduler: 'mh', persistentSeconds: 60, schedulerFlags: ['sched-2'] },
      };
      ipvs.setService(changed);
      assert.deepEqual(await services(), [changed, { ...web, protocol: 'UDP' }]);
      assert.equal(destinations().length, 1);
      ipvs.setService(web);
      assert.deepEqual((await services())[0], web);
      ipvs.deleteService(web);
      ipvs.deleteService(web);
      assert.deepEqual(await services(), [{ ...web, protocol: 'UDP' }]);
      ipvs.addService(web);
      assert.deepEqual(destinations(), []);
    });
    test('addDestination, setDestination, deleteDestination: a destination is there once', () => {
      const { ipvs } = given.netns;
      refuses('ESRCH', () => ipvs.addDestination(web, one));
      refuses('ESRCH', () => ipvs.setDestination(web, one));
      ipvs.deleteDestination(web, one);
      assert.deepEqual(destinations(), []);
      ipvs.addService(web);
      ipvs.addDestination(web, one);
      ipvs.addDestination(web, { ...one, port: 8081, weight: 100, forwarding: 'direct' });
      ipvs.addDestination(web, { ...one, address: ip('10.0.0.1'), weight: 0, forwarding: 'local' });
      refuses('EEXIST', () => ipvs.addDestination(web, { ...one, weight: 2 }));
      refuses('ENOENT', () => ipvs.setDestination(web, { ...one, port: 1 }));
      ipvs.setDestination(web, { ...one, weight: 0, forwarding: 'tunnel' });
      assert.deepEqual(destinations(), [
        { ...one, ...idle, address: '10.0.0.1', weight: 0, forwarding: 'local' },
        { ...one, ...idle, weight: 0, forwarding: 'tunnel' },
        { ...one, ...idle, port: 8081, weight: 100, forwarding: 'direct' },
      ]);
      ipvs.deleteDestination(web, one);
      ipvs.deleteDestination(web, one);
      assert.equal(destinations().length, 2);
    });
    test('addDestination: a namespace without any IPv4 address refuses an IPv4 destination', () => {
      const { ipvs, addresses, links } = given.other;
      ipvs.addService(web);
      refuses('EINVAL', () => ipvs.addDestination(web, one));
      links.add({ kind: 'bridge', name: 'br0', up: true });
      addresses.add({ link: 'br0', address: ip('10.0.0.1'), prefixLength: 24 });
      ipvs.addDestination(web, one);
    });
    test('addDestination: families mix in a tunnel only', () => {
      const { ipvs } = given.netns;
      const address = ip('fd00::2');
      ipvs.addService(dns);
      ipvs.addService(web);
      ipvs.addDestination(dns, { ...one, address });
      refuses('EINVAL', () => ipvs.addDestination(dns, one));
      refuses('EINVAL', () => ipvs.addDestination(web, { ...one, address }));
      ipvs.addDestination(web, { ...one, address, forwarding: 'tunnel' });
      assert.deepEqual(destinations(), [{ ...one, ...idle, address, forwarding: 'tunnel' }]);
      ipvs.deleteDestination(web, { address, port: one.port });
      assert.deepEqual(destinations(), []);
      assert.deepEqual(destinations(dns), [{ ...one, ...idle, address }]);
    });
    test('refuses what Linux refuses, and what would balance nothing', async () => {
      const { ipvs } = given.netns;
      ipvs.addService({ ...web, port: 1 });
      ipvs.addService({ ...dns, port: 1 });
      for (const address of ['0.0.0.0', '224.0.0.1', '239.1.2.3', '255.255.255.255'])
        refuses('EINVAL', () => ipvs.addDestination({ ...web, port: 1 }, { ...one, address: ip(address) }));
      for (const address of ['::', 'ff02::1', 'fe80::1'])
        refuses('EINVAL', () => ipvs.addDestination({ ...dns, port: 1 }, { ...one, address: ip(address) }));
      refuses('ENOENT', () => ipvs.addService({ ...web, scheduler: 'none-such' }));
      refuses('ENOENT', () => ipvs.setService({ ...web, port: 1, scheduler: 'none-such' }));
      for (const wrong of [
        { scheduler: '' },
        { scheduler: '../rr' },
        { scheduler: 'longer-than-names' },
        { port: 0 },
        { port: 65536 },
        { onePacket: true },
        { persistentSeconds: 0 },
        { persistentSeconds: 1.5 },
        { persistentSeconds: 5_000_000 },
        { persistencePrefix: 24 },
        { persistentSeconds: 1, persistencePrefix: 33 },
        { persistentSeconds: 1, persistencePrefix: 0 },
      ])
        refuses('EINVAL', () => ipvs.addService({ ...web, ...wrong }));
      for (const wrong of [{ weight: -1 }, { weight: 0.5 }, { weight: 2 ** 31 }, { port: -1 }])
        refuses('EINVAL', () => ipvs.addDestination({ ...web, port: 1 }, { ...one, ...wrong }));
      assert.equal((await services()).length, 2);
      assert.deepEqual(destinations({ ...web, port: 1 }), []);
    });
    test('change: many changes in order; the error names the change, and what came before is made', async () => {
      const { ipvs } = given.netns;
      const number = (i: number): IpvsService => ({ ...web, port: i + 1 });
      const make = Array.from({ length: 1000 }, (_, i): IpvsChange[] => [
        { op: 'add-service', service: number(i) },
        { op: 'add-destination', service: number(i), destination: one },
      ]).flat();
      ipvs.change(make);
      assert.equal((await services()).length, 1000);
      assert.deepEqual(destinations(number(999)), [{ ...one, ...idle }]);
      const wrong: IpvsChange = {
        op: 'set-destination',
        service: number(7),
        destination: { ...one, port: 9 },
      };
      const changes: IpvsChange[] = [
        { op: 'delete-destination', service: number(1), destination: one },
        { op: 'delete-service', service: number(5000) },
        { op: 'set-destination', service: number(2), destination: { ...one, weight: 7 } },
        { op: 'set-service', service: { ...number(3), scheduler: 'wlc' } },
        wrong,
      ];
      assert.throws(
        () => ipvs.change(changes),
        /set IPVS destination 10\.244\.1\.2:9 of TCP 10\.96\.0\.1:8: ENOENT/,
      );
      assert.deepEqual([destinations(number(1)), destinations(number(2))[0]?.weight], [[], 7]);
      assert.ok((await services()).some(({ scheduler, port }) => scheduler === 'wlc' && port === 4));
      // Every one of them fails: the first is named.
      assert.throws(() => ipvs.change(make), /add IPVS service TCP 10\.96\.0\.1:1: EEXIST/);
      ipvs.change([]);
    });
    test('services by firewall mark: one of each family, apart from those by address', async () => {
      const { ipvs } = given.netns;
      const marked: IpvsService = { ...web, address: ip('0.0.0.0'), port: 0, mark: 7 };
      const marked6: IpvsService = { ...marked, address: ip('::') };
      ipvs.addService(web);
      ipvs.addService({ ...marked, address: ip('10.1.1.1'), port: 9, protocol: 'UDP' });
      ipvs.addService(marked6);
      refuses('EEXIST', () => ipvs.addService(marked));
      for (const mark of [0, 2 ** 32, 1.5]) refuses('EINVAL', () => ipvs.addService({ ...marked, mark }));
      assert.deepEqual(await services(), [marked, web, marked6]);
      ipvs.addDestination(marked, one);
      assert.deepEqual([destinations(marked), destinations(web)], [[{ ...one, ...idle }], []]);
      ipvs.deleteService(marked);
      assert.deepEqual(await services(), [web, marked6]);
    });
    test('timeouts, setTimeouts: what is left out stays', () => {
      const { ipvs } = given.netns;
      const before = ipvs.timeouts();
      assert.deepEqual(before, { tcp: 900, tcpFin: 120, udp: 300 });
      ipvs.setTimeouts({ tcp: 600, udp: 5 });
      assert.deepEqual(ipvs.timeouts(), { tcp: 600, tcpFin: 120, udp: 5 });
      refuses('EINVAL', () => ipvs.setTimeouts({ tcp: 0 }));
      assert.deepEqual(given.other.ipvs.timeouts(), before);
    });
    test('flush: removes every service of the namespace', async () => {
      const { netns, other } = given;
      for (const where of [netns, other]) where.ipvs.addService(web);
      netns.ipvs.flush();
      netns.ipvs.flush();
      assert.deepEqual([await services(), await other.ipvs.listServices()], [[], [web]]);
    });
  });
}

function text(value: object): string {
  return JSON.stringify(value);
}
