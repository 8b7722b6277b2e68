import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { IpAddress } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';
import {
  CLUSTER_IP,
  EXTERNAL_ADDRESS,
  endpoint,
  FACTS,
  NODE_ADDRESS,
  OTHER_NODE_ADDRESS,
  type PodName,
  service,
  slice,
  TERMINATING,
} from '../behaviour/cluster.ts';
import { frontendKey } from './entry.ts';
import type { NodeFacts } from './facts.ts';
import { buildTable, diffTables, printTable, ServiceTableBuilder } from './table.ts';

const NAMES = ['s1', 's2', 's3'] as const;
const PODS: readonly PodName[] = ['a', 'b', 'c', 'd'];

const someService = fc.record({
  name: fc.constantFrom(...NAMES),
  created: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
  external: fc.boolean(),
  policy: fc.constantFrom('Cluster', 'Local'),
});
const someSlice = fc.record({
  name: fc.constantFrom('x', 'y', 'z'),
  of: fc.constantFrom(...NAMES),
  pods: fc.uniqueArray(fc.constantFrom(...PODS)),
  terminating: fc.boolean(),
});
type Step =
  | { readonly do: 'service'; readonly name: string; readonly object: Service | undefined }
  | { readonly do: 'slice'; readonly name: string; readonly object: EndpointSlice | undefined }
  | { readonly do: 'facts'; readonly facts: NodeFacts };

const someStep: fc.Arbitrary<Step> = fc.oneof(
  someService.map(({ name, created, external, policy }): Step => {
    const spec = {
      clusterIP: `10.96.1.${NAMES.indexOf(name)}`,
      clusterIPs: [`10.96.1.${NAMES.indexOf(name)}`],
      externalIPs: external ? [EXTERNAL_ADDRESS] : [],
      internalTrafficPolicy: policy,
    };
    return { do: 'service', name, object: service(spec, { metadata: { name, creationTimestamp: created } }) };
  }),
  fc.constantFrom(...NAMES).map((name): Step => ({ do: 'service', name, object: undefined })),
  someSlice.map(({ name, of, pods, terminating }): Step => {
    const endpoints = pods.map((pod) => endpoint(pod, terminating ? { conditions: TERMINATING } : {}));
    return { do: 'slice', name, object: slice(endpoints, { name, service: of }) };
  }),
  fc.constantFrom('x', 'y', 'z').map((name): Step => ({ do: 'slice', name, object: undefined })),
  fc.constantFrom('node1', 'node2').map((name): Step => ({ do: 'facts', facts: { ...FACTS, name } })),
);

describe('ServiceTableBuilder', () => {
  test('after any changes the table is the one that would be built at once, and commit tells every difference', () => {
    fc.assert(
      fc.property(fc.array(fc.array(someStep, { maxLength: 4 }), { maxLength: 8 }), (commits) => {
        const builder = new ServiceTableBuilder(FACTS);
        const services = new Map<string, Service>();
        const slices = new Map<string, EndpointSlice>();
        let facts = FACTS;
        let previous = buildTable([], [], facts);
        for (const steps of commits) {
          for (const step of steps) {
            if (step.do === 'facts') {
              facts = step.facts;
              builder.setFacts(facts);
              continue;
            }
            const key = `default/${step.name}`;
            if (step.do === 'service') {
              builder.setService(key, step.object);
              if (step.object === undefined) services.delete(key);
              else services.set(key, step.object);
            } else {
              builder.setSlice(key, step.object);
              if (step.object === undefined) slices.delete(key);
              else slices.set(key, step.object);
            }
          }
          const changed = builder.commit().map((change) => change.service);
          const whole = buildTable(services.values(), slices.values(), facts);
          assert.equal(printTable(builder.table), printTable(whole));
          const expected = diffTables(previous, whole).map((change) => change.service);
          assert.deepEqual(changed.sort(), expected.sort());
          previous = whole;
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a change decides its own Service only: the entries of others are the same objects', () => {
    const builder = new ServiceTableBuilder(FACTS);
    builder.setService('default/web', service());
    builder.setService(
      'default/other',
      service({ clusterIPs: ['10.96.0.7'] }, { metadata: { name: 'other' } }),
    );
    builder.commit();
    const before = builder.table.services.get('default/other');
    builder.setSlice('default/web-1', slice(['b']));
    assert.deepEqual(
      builder.commit().map((change) => change.service),
      ['default/web'],
    );
    assert.equal(builder.table.services.get('default/other'), before);
    assert.deepEqual(builder.commit(), []);
  });

  test('commit: a limit leaves the rest due, and the end is the same, whoever claims a place first', () => {
    const builder = new ServiceTableBuilder(FACTS);
    const claim = (name: string, created: string) =>
      service({}, { metadata: { namespace: 'default', name, creationTimestamp: created } });
    const services = [
      claim('young', '2026-01-02T00:00:00Z'),
      claim('old', '2026-01-01T00:00:00Z'),
      service({ clusterIPs: ['10.96.0.7'] }, { metadata: { namespace: 'default', name: 'other' } }),
    ];
    for (const one of services) builder.setService(`default/${one.metadata?.name}`, one);
    const changed: string[] = [];
    for (let due = 3; due > 0; due--) {
      assert.equal(builder.due, due);
      changed.push(...builder.commit(1).map((change) => change.service));
    }
    assert.equal(builder.due, 0);
    assert.deepEqual(changed, ['default/young', 'default/old', 'default/young', 'default/other']);
    assert.equal(printTable(builder.table), printTable(buildTable(services, [], FACTS)));
  });

  test('a change that decides nothing new is none', () => {
    const builder = new ServiceTableBuilder(FACTS);
    builder.setService('default/web', service());
    builder.setSlice('default/web-1', slice(['b']));
    builder.commit();
    builder.setService('default/web', service({}, { metadata: { labels: { touched: 'yes' } } }));
    builder.setFacts({ ...FACTS });
    assert.deepEqual(builder.commit(), []);
  });

  test('setOtherNode: an external address that another node has is elsewhere as long as it has it; nothing else is decided again', () => {
    const builder = new ServiceTableBuilder({ ...FACTS, addresses: [NODE_ADDRESS] });
    const external = (name: string, ...externalIPs: IpAddress[]) =>
      builder.setService(
        `default/${name}`,
        service({ externalIPs }, { metadata: { namespace: 'default', name } }),
      );
    const elsewhere = () =>
      [...builder.table.services.values()].flatMap(({ frontends }) =>
        frontends.filter((frontend) => frontend.elsewhere).map(({ address }) => address),
      );
    external('web', OTHER_NODE_ADDRESS);
    external('other', EXTERNAL_ADDRESS, NODE_ADDRESS);
    builder.commit();
    assert.deepEqual(elsewhere(), []);
    assert.equal(builder.setOtherNode('node2', [OTHER_NODE_ADDRESS, NODE_ADDRESS]), true);
    assert.deepEqual(
      builder.commit().map((change) => change.service),
      ['default/web'],
    );
    assert.deepEqual(elsewhere(), [OTHER_NODE_ADDRESS]);
    assert.equal(builder.setOtherNode('node3', [OTHER_NODE_ADDRESS]), false);
    assert.equal(builder.setOtherNode('node2', []), true);
    assert.deepEqual(builder.commit(), []);
    assert.equal(builder.setOtherNode('node3', []), true);
    builder.commit();
    assert.deepEqual(elsewhere(), []);
  });

  test('lookup: finds who answers at an address and port', () => {
    const table = buildTable([service()], [slice(['b'])], FACTS);
    assert.equal(table.lookup(frontendKey(CLUSTER_IP, 'TCP', 80))?.entry.service, 'default/web');
    assert.equal(table.lookup(frontendKey(CLUSTER_IP, 'UDP', 80)), undefined);
  });
});
