import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type IpAddress, parseIp } from '#ip';
import type { ConntrackEntry } from '#kernel';
import {
  CLUSTER_IP,
  endpoint,
  FACTS,
  NODE_ADDRESS,
  NODE_PORT,
  NOT_READY,
  PODS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
  TERMINATING,
} from '../behaviour/cluster.ts';
import { type FrontendKey, frontendKey, type Protocol } from '../table/entry.ts';
import { buildTable, diffTables } from '../table/table.ts';
import { canStrandFlows, goneFrontends, staleFlows } from './stale-flows.ts';

const flow = (
  to: readonly [IpAddress, number],
  answeredBy: readonly [IpAddress, number] = to,
  protocol = 17,
): ConntrackEntry => ({
  original: { source: PODS.a, sourcePort: 4_000, destination: to[0], destinationPort: to[1], protocol },
  reply: {
    source: answeredBy[0],
    sourcePort: answeredBy[1],
    destination: PODS.a,
    destinationPort: 4_000,
    protocol,
  },
  mark: 0,
  status: 0,
  timeout: 30,
});

function udpTable(
  endpoints: Parameters<typeof slice>[0],
  spec: Parameters<typeof service>[0] = {},
  protocol: Protocol = 'UDP',
) {
  const main = { name: 'main', protocol };
  return buildTable(
    [service({ ports: [{ ...main, port: SERVICE_PORT, nodePort: NODE_PORT }], ...spec })],
    [slice(endpoints, { ports: [{ ...main, port: TARGET_PORT }] })],
    FACTS,
  );
}

const AT_SERVICE = [CLUSTER_IP, SERVICE_PORT] as const;
const AT_NODE = [NODE_ADDRESS, NODE_PORT] as const;
const to = (pod: IpAddress) => [pod, TARGET_PORT] as const;
const NONE: ReadonlySet<FrontendKey> = new Set();

describe('staleFlows', () => {
  const cases: readonly (readonly [string, ConntrackEntry, ReturnType<typeof udpTable>, boolean])[] = [
    ['to an endpoint that serves', flow(AT_SERVICE, to(PODS.b)), udpTable(['b', 'c']), false],
    ['to one that left', flow(AT_SERVICE, to(PODS.b)), udpTable(['c']), true],
    ['to another port of an endpoint', flow(AT_SERVICE, [PODS.b, 1]), udpTable(['b']), true],
    [
      'to one that terminates and serves',
      flow(AT_SERVICE, to(PODS.b)),
      udpTable([endpoint('b', { conditions: TERMINATING }), 'c']),
      false,
    ],
    [
      'to one that is not ready',
      flow(AT_SERVICE, to(PODS.b)),
      udpTable([endpoint('b', { conditions: NOT_READY }), 'c']),
      true,
    ],
    ['untranslated, endpoints are there now', flow(AT_SERVICE), udpTable(['b']), true],
    ['to the last endpoint, which left', flow(AT_SERVICE, to(PODS.b)), udpTable([]), true],
    [
      'to a remote endpoint under a policy that new flows cannot take',
      flow(AT_SERVICE, to(PODS.c)),
      udpTable(['b', 'c'], { internalTrafficPolicy: 'Local' }),
      false,
    ],
    [
      'by node port, to one that left',
      flow(AT_NODE, to(PODS.b)),
      udpTable(['c'], { type: 'NodePort' }),
      true,
    ],
    ['to a node port that is no one’s', flow(AT_NODE, to(PODS.b)), udpTable(['c']), false],
    ['TCP, to one that left', flow(AT_SERVICE, to(PODS.b), 6), udpTable(['c'], {}, 'TCP'), false],
    ['SCTP, to one that left', flow(AT_SERVICE, to(PODS.b), 132), udpTable(['c'], {}, 'SCTP'), true],
    ['to an address of no Service', flow([parseIp('192.0.2.1'), 53]), udpTable(['c']), false],
  ];
  for (const [name, entry, table, stale] of cases)
    test(`${stale ? 'deletes' : 'leaves'} a flow ${name}`, () => {
      assert.deepEqual(staleFlows([entry], table, NONE), stale ? [entry] : []);
    });

  test('of a frontend that is gone: deletes translated flows only', () => {
    const key = frontendKey(NODE_ADDRESS, 'UDP', NODE_PORT);
    const translated = flow(AT_NODE, to(PODS.b));
    assert.deepEqual(staleFlows([translated, flow(AT_NODE)], udpTable(['b']), new Set([key])), [translated]);
  });
});

describe('canStrandFlows', () => {
  const strands = (before: ReturnType<typeof udpTable>, after: ReturnType<typeof udpTable>) =>
    diffTables(before, after).some(canStrandFlows);
  const empty = buildTable([], [], FACTS);
  test('an endpoint that comes: no; one that goes: yes', () => {
    assert.equal(strands(udpTable(['b']), udpTable(['b', 'c'])), false);
    assert.equal(strands(udpTable(['b', 'c']), udpTable(['b'])), true);
  });
  test('one that begins to terminate: no; that stops serving: yes', () => {
    const terminating = udpTable([endpoint('b', { conditions: TERMINATING }), 'c']);
    assert.equal(strands(udpTable(['b', 'c']), terminating), false);
    assert.equal(strands(terminating, udpTable(['c'])), true);
  });
  test('a Service that comes or goes, the first endpoint: yes; the same for TCP: no', () => {
    assert.equal(strands(empty, udpTable(['b'])), true);
    assert.equal(strands(udpTable(['b']), empty), true);
    assert.equal(strands(udpTable([]), udpTable(['b'])), true);
    assert.equal(strands(udpTable(['b'], {}, 'TCP'), empty), false);
  });
  test('goneFrontends: what a change takes away', () => {
    const gone = diffTables(udpTable(['b'], { type: 'NodePort' }), udpTable(['b'])).flatMap(goneFrontends);
    assert.deepEqual(gone, [`${NODE_ADDRESS} UDP ${NODE_PORT}`]);
  });
});
