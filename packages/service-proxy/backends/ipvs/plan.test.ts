import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type IpAddress, parseIp } from '#ip';
import { balancedService, endpoint, FACTS, PODS, service, slice } from '../../behaviour/cluster.ts';
import { type FrontendKey, keyOf } from '../../table/entry.ts';
import { buildTable } from '../../table/table.ts';
import { MarkAllocator } from './mark-allocator.ts';
import { canBeDirect, needsMark, planService, serverKey } from './plan.ts';

const entryOf = (
  ...objects: Parameters<typeof buildTable> extends [infer S, infer L, ...unknown[]] ? [S, L] : never
) => {
  const entry = buildTable(...objects, FACTS).services.get('default/web');
  assert.ok(entry);
  return entry;
};

describe('planService', () => {
  test('a load balancer under policy Local: outside sources have a server of a mark, and hashing for affinity', () => {
    const entry = entryOf(
      [balancedService({ externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP' })],
      [slice(['a', 'c'])],
    );
    const marks = new Map(entry.frontends.filter(needsMark).map((frontend, i) => [keyOf(frontend), i + 1]));
    const { servers, vips } = planService(entry, { marks, nodesOwn: new Set(), direct: new Set() }, 'wlc');
    assert.deepEqual(vips, ['10.96.0.100', '203.0.113.5']);
    assert.deepEqual(
      servers.map(({ service, destinations }) =>
        [
          serverKey(service),
          service.scheduler,
          service.persistentSeconds,
          ...destinations.map(({ address }) => address),
        ].join(' '),
      ),
      [
        '10.96.0.100 TCP 80 wlc 10800 10.244.1.10 10.244.2.10',
        '203.0.113.5 TCP 80 wlc 10800 10.244.1.10 10.244.2.10',
        'IPv4 mark 1 sh  10.244.1.10',
        '172.30.0.11 TCP 30080 wlc 10800 10.244.1.10 10.244.2.10',
        'IPv4 mark 2 sh  10.244.1.10',
      ],
    );
  });

  test('the Service’s own scheduler; an address that the node has by itself is not bound', () => {
    const annotations = { 'podway.io/ipvs-scheduler': 'mh' };
    const entry = entryOf(
      [service({ externalIPs: ['172.30.0.11'] }, { metadata: { name: 'web', annotations } })],
      [slice(['a'])],
    );
    const nodesOwn = new Set([parseIp('172.30.0.11')]);
    const { servers, vips } = planService(entry, { marks: new Map(), nodesOwn, direct: new Set() }, 'rr');
    assert.deepEqual(vips, ['10.96.0.100']);
    assert.deepEqual(
      servers.map(({ service }) => [service.scheduler, service.schedulerFlags]),
      [
        ['mh', ['sched-1']],
        ['mh', ['sched-1']],
      ],
    );
  });

  test('canBeDirect: the port stays, and one link has all endpoints', () => {
    const ports = [{ name: 'main', port: 80, protocol: 'TCP' }];
    const decide = (slices: ReturnType<typeof slice>, links: Readonly<Record<string, string>>) => {
      const [frontend] = entryOf([service()], [slices]).frontends;
      assert.ok(frontend);
      return canBeDirect(frontend, (address: IpAddress) => links[address]);
    };
    const both = slice([endpoint('a'), endpoint('b')], { ports });
    assert.equal(decide(both, { [PODS.a]: 'cni0', [PODS.b]: 'cni0' }), true);
    assert.equal(decide(both, { [PODS.a]: 'cni0', [PODS.b]: 'eth0' }), false);
    assert.equal(decide(both, { [PODS.a]: 'cni0' }), false);
    assert.equal(decide(slice(['a']), { [PODS.a]: 'cni0' }), false);
    assert.equal(decide(slice([], { ports }), {}), false);
  });
});

describe('MarkAllocator', () => {
  const key = (text: string) => text as FrontendKey;
  test('a frontend keeps its mark; marks are used again late; what others hold is not restored', () => {
    const marks = new MarkAllocator();
    const first = marks.of(key('a'));
    assert.equal(marks.of(key('a')), first);
    marks.release(key('a'));
    assert.notEqual(marks.of(key('b')), first);
    marks.restore(key('c'), first + 7);
    assert.equal(marks.of(key('c')), first + 7);
    marks.restore(key('d'), first + 7);
    assert.notEqual(marks.of(key('d')), first + 7);
    marks.restore(key('e'), 9);
    assert.notEqual(marks.of(key('e')), 9);
  });
});
