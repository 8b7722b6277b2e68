import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp } from '#ip';
import type { IpvsChange, IpvsDestination, IpvsService } from '#kernel';
import { FACTS, service, slice } from '../../behaviour/cluster.ts';
import { buildTable } from '../../table/table.ts';
import { KnownServers } from './known-servers.ts';
import { planService, type VirtualServer } from './plan.ts';

const NOTHING = { marks: new Map(), nodesOwn: new Set<never>(), direct: new Set<never>() };
const GRACE_MS = 900_000;

/** The server of `default/web` with these Pods, as the plan has it. */
function server(
  pods: Parameters<typeof slice>[0],
  {
    protocol = 'TCP',
    scheduler = 'rr',
  }: { readonly protocol?: 'TCP' | 'UDP'; readonly scheduler?: string } = {},
): VirtualServer {
  const ports = [{ name: 'main', port: 80, protocol }];
  const table = buildTable([service({ ports })], [slice(pods, { ports })], FACTS);
  const entry = table.services.get('default/web');
  assert.ok(entry);
  const [first] = planService(entry, NOTHING, scheduler).servers;
  assert.ok(first);
  return first;
}

/** Of every server here. */
const { service: key } = server([]);

/** `add 10.244.1.10 1`, `delete 10.244.1.10`, `add-service` */
function text(changes: readonly IpvsChange[]): readonly string[] {
  return changes.map((change) => {
    if (!('destination' in change)) return change.op;
    const what = `${change.op.replace('-destination', '')} ${change.destination.address}`;
    return change.op === 'delete-destination' ? what : `${what} ${change.destination.weight}`;
  });
}

const busy = (...pods: readonly string[]) =>
  pods.map(
    (pod): IpvsDestination => ({
      ...{ address: parseIp(pod), port: 80, weight: 0, forwarding: 'masquerade' },
      ...{ activeConnections: 1, inactiveConnections: 0, persistentConnections: 0 },
    }),
  );
const B = '10.244.1.11';
const C = '10.244.2.10';

describe('KnownServers', () => {
  test('want: an endpoint that goes drains, one that is back has its weight', () => {
    const servers = new KnownServers();
    assert.deepEqual(text(servers.want(server(['b']), 0)), ['add-service', `add ${B} 1`]);
    assert.deepEqual(text(servers.want(server(['b']), 0)), []);
    assert.deepEqual(text(servers.want(server(['c']), 0)), [`add ${C} 1`, `set ${B} 0`]);
    assert.deepEqual(text(servers.want(server(['c']), 0)), []);
    assert.deepEqual([servers.isDraining, servers.drainingDestinations], [true, 1]);
    assert.deepEqual(text(servers.want(server(['b', 'c']), 0)), [`set ${B} 1`]);
    assert.deepEqual([servers.isDraining, servers.drainingDestinations], [false, 0]);
  });

  test('want: a UDP endpoint goes at once unless it serves; under dh every endpoint does', () => {
    const udp = { protocol: 'UDP' } as const;
    const servers = new KnownServers();
    servers.want(server(['b'], udp), 0);
    assert.deepEqual(text(servers.want(server(['c'], udp), 0)), [`add ${C} 1`, `delete ${B}`]);
    const serving = { ...server(['b'], udp), serving: new Set([`${B} 80`, `${C} 80`]) };
    assert.deepEqual(text(servers.want(serving, 0)), [`add ${B} 1`, `set ${C} 0`]);
    const hashing = new KnownServers();
    hashing.want(server(['b'], { scheduler: 'dh' }), 0);
    assert.deepEqual(text(hashing.want(server(['c'], { scheduler: 'dh' }), 0)), [
      `add ${C} 1`,
      `delete ${B}`,
    ]);
  });

  test('want, forgetEmpty: a server without endpoints is not made, and stays while it drains', () => {
    const servers = new KnownServers();
    assert.deepEqual(servers.want(server([]), 0), []);
    servers.want(server(['b']), 0);
    assert.deepEqual(text(servers.want(server([]), 0)), [`set ${B} 0`]);
    assert.deepEqual(servers.forgetEmpty(server([]).service), []);
    assert.deepEqual(text(servers.sweep(key, busy(), 5, GRACE_MS)), [`delete ${B}`, 'delete-service']);
    assert.equal(servers.size, 0);
  });

  test('sweep: connections keep a destination until the grace is over', () => {
    const servers = new KnownServers();
    servers.want(server(['b', 'c']), 0);
    servers.want(server(['c']), 100);
    assert.deepEqual(servers.sweep(key, busy(B), GRACE_MS, GRACE_MS), []);
    assert.deepEqual(text(servers.sweep(key, busy(B), 100 + GRACE_MS, GRACE_MS)), [`delete ${B}`]);
    assert.equal(servers.isDraining, false);
  });

  test('observed: weight 0 drains on, or gets its weight back; another scheduler is a change, nothing is none', () => {
    const found = (service: IpvsService) => {
      const servers = new KnownServers();
      servers.observed(service, busy(B), 0);
      return servers;
    };
    const { service: rr } = server(['b']);
    assert.deepEqual(text(found(rr).want(server(['b']), 0)), [`set ${B} 1`]);
    assert.deepEqual(text(found(rr).want(server(['c']), 0)), [`add ${C} 1`]);
    assert.deepEqual(text(found({ ...rr, scheduler: 'wlc' }).want(server(['b']), 0)), [
      'set-service',
      `set ${B} 1`,
    ]);
    assert.equal(found(rr).isDraining, true);
  });

  test('drain: nothing takes new connections', () => {
    const servers = new KnownServers();
    servers.want(server(['b', 'c']), 0);
    assert.deepEqual(text(servers.drain(key, 7)), [`set ${B} 0`, `set ${C} 0`]);
    assert.deepEqual(text(servers.drain(key, 8)), []);
    assert.deepEqual(text(servers.sweep(key, busy(C), 9, GRACE_MS)), [`delete ${B}`]);
    assert.deepEqual(text(servers.sweep(key, busy(C), 7 + GRACE_MS, GRACE_MS)), [
      `delete ${C}`,
      'delete-service',
    ]);
  });

  test('matches: weight, forwarding and number count', () => {
    const servers = new KnownServers();
    servers.want(server(['b']), 0);
    const [destination] = busy(B);
    assert.ok(destination);
    assert.equal(servers.matches(key, [{ ...destination, weight: 1 }]), true);
    assert.equal(servers.matches(key, [destination]), false);
    assert.equal(servers.matches(key, []), false);
    assert.equal(servers.matches(key, [{ ...destination, weight: 1, forwarding: 'tunnel' }]), false);
  });
});
