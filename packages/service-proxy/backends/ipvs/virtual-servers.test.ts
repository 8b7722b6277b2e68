import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipAdd, parseIp } from '#ip';
import { fakeKernel, type IpvsService } from '#kernel';
import { createLogger, FakeClock, type LogRecord } from '#runtime';
import { destinationKey, type VirtualServer } from './plan.ts';
import { VirtualServers } from './virtual-servers.ts';

const GRACE_MS = 900_000;

/** The server of 10.96.0.1:PORT with these endpoints. */
function server(port: number, ...endpoints: string[]): VirtualServer {
  const service: IpvsService = {
    ...{
      address: parseIp('10.96.0.1'),
      port,
      protocol: 'TCP',
      scheduler: 'rr',
      persistentSeconds: undefined,
    },
  };
  const destinations = endpoints.map(
    (text) => ({ address: parseIp(text), port: 80, weight: 1, forwarding: 'masquerade' }) as const,
  );
  return { service, destinations, serving: new Set(destinations.map(destinationKey)) };
}

function start() {
  const { ipvs, links } = fakeKernel().currentNetns();
  links.set('lo', { up: true });
  const clock = new FakeClock();
  const records: LogRecord[] = [];
  const logger = createLogger((record) => void records.push(record));
  const servers = new VirtualServers({ ipvs, clock, logger }, GRACE_MS);
  const weights = ({ service }: VirtualServer) =>
    Object.fromEntries(ipvs.listDestinations(service).map(({ address, weight }) => [address, weight]));
  return { ipvs, clock, records, servers, weights };
}

describe('VirtualServers', () => {
  test('want: an endpoint that the kernel refuses is left out and named once; all else is made', async () => {
    const { records, servers, weights } = start();
    const wanted = [server(1, '10.0.0.1', '224.0.0.9', '10.0.0.2'), server(2, '10.0.0.3')];
    await servers.want(wanted);
    assert.deepEqual(wanted.map(weights), [{ '10.0.0.1': 1, '10.0.0.2': 1 }, { '10.0.0.3': 1 }]);
    assert.deepEqual([servers.areKnown, await servers.match(), servers.spotCheck()], [true, true, true]);
    const next = server(1, '10.0.0.4', '224.0.0.9');
    await servers.want([next]);
    assert.deepEqual(weights(next), { '10.0.0.1': 0, '10.0.0.2': 0, '10.0.0.4': 1 });
    assert.equal(records.length, 1);
    assert.match(String(records[0]?.fields['error']), /224\.0\.0\.9:80 of TCP 10\.96\.0\.1:1/);
  });

  test('want: another failure is one, and nothing is known then', async () => {
    const { ipvs, servers } = start();
    ipvs.setAvailable(false);
    await assert.rejects(servers.want([server(1, '10.0.0.1')]), { errno: 'EOPNOTSUPP' });
    assert.equal(servers.areKnown, false);
  });

  test('what drains is looked at in parts, and waits while Services change', async () => {
    const { ipvs, clock, servers } = start();
    const many = Array.from({ length: 120 }, (_, i) => server(i + 1, ipAdd(parseIp('10.0.1.0'), i)));
    await servers.want(many);
    await servers.drainAll();
    await servers.uninterrupted(async () => clock.advance(10_000));
    assert.equal((await ipvs.listServices()).length, many.length);
    clock.advance(5_000);
    assert.deepEqual(await ipvs.listServices(), []);
    assert.equal(servers.size, 0);
  });
});
