import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import type { Service } from '#kube-api';
import { TestLab } from './support/lab.ts';
import { PROXY } from './support/proxy.ts';
import { retry } from './support/retry.ts';
import { clusterIp, nodePort, TestNamespace } from './support/test-namespace.ts';

const PODS = ['affinity-1', 'affinity-2', 'affinity-3'];
const TIMEOUT_SECONDS = 2;
/**
 * How long a client is bound at most, seconds. IPVS counts from when it has no connection left: it remembers a closed one for two minutes, and
 * looks again every minute (ip_vs_conn_expire in net/netfilter/ipvs/ip_vs_conn.c). Ten more, as clocks in the virtual machine are not exact.
 */
const BOUND_SECONDS = PROXY === 'ipvs' ? TIMEOUT_SECONDS + 120 + 60 + 10 : TIMEOUT_SECONDS;
/**
 * Once the time is over any Pod may answer, the same one again too: one in three times where chance decides, so that twenty rounds fail once
 * in 3e9 times. IPVS takes the Pods in turn.
 */
const ROUNDS = PROXY === 'ipvs' ? 3 : 20;

const TYPES = [
  ['ClusterIP', 'service with type clusterIP'],
  ['NodePort', 'NodePort service'],
] as const;

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Services: session affinity', () => {
  const lab = TestLab.ofSuite();
  const ns = TestNamespace.ofSuite(lab, 'affinity');

  before(async () => {
    await Promise.all([
      ns.client('client', { node: 'node1' }),
      ...PODS.map((pod, i) =>
        ns.netexec(pod, 'affinity', { node: `node${i + 1}`, http: 9376, container: {} }),
      ),
    ]);
  });

  const distinct = async (target: string, count: number) => [
    ...new Set(await ns.ask('client', target, { count })),
  ];

  async function sticks(target: string): Promise<void> {
    await retry(async () => assert.equal((await distinct(target, 16)).length, 1, target));
  }

  async function spreads(target: string): Promise<void> {
    await retry(async () => assert.deepEqual((await distinct(target, 40)).sort(), PODS, target));
  }

  const create = (type: 'ClusterIP' | 'NodePort', name: string, timeoutSeconds?: number) =>
    ns.service(name, {
      type,
      selector: { app: 'affinity' },
      sessionAffinity: 'ClientIP',
      ...(timeoutSeconds === undefined ? {} : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
      ports: [{ port: 80, targetPort: 9376 }],
    });

  /** Where the suite asks: a node port for Services that have one, else the cluster IP. */
  const targetOf = (service: Service, node = 0) =>
    service.spec?.type === 'NodePort'
      ? `${lab.up.nodes[node]?.ip}:${nodePort(service)}`
      : `${clusterIp(service)}:80`;

  for (const [type, words] of TYPES) {
    test(`should have session affinity work for ${words} [LinuxOnly] [Conformance]`, async () => {
      const service = await create(type, `affinity-${type.toLowerCase()}`);
      await sticks(targetOf(service));
      await sticks(targetOf(service, 1));
      await sticks(`${service.metadata?.name}:80`);
    });

    test(`should be able to switch session affinity for ${words} [LinuxOnly] [Conformance]`, async () => {
      const service = await create(type, `affinity-${type.toLowerCase()}-transition`);
      const name = service.metadata?.name ?? '';
      const switchTo = (sessionAffinity: 'None' | 'ClientIP') =>
        ns.updateService(name, ({ spec: { sessionAffinityConfig: _, ...spec } = {}, ...old }) => ({
          ...old,
          spec: { ...spec, sessionAffinity },
        }));
      await sticks(targetOf(service));
      await switchTo('None');
      await spreads(targetOf(service));
      await switchTo('ClientIP');
      await sticks(targetOf(service));
    });
  }

  // They wait, so both at once.
  suite('after the timeout', { concurrency: true }, () => {
    for (const [type, words] of TYPES)
      test(`should have session affinity timeout work for ${words} [LinuxOnly]`, async () => {
        const service = await create(type, `affinity-${type.toLowerCase()}-timeout`, TIMEOUT_SECONDS);
        const target = targetOf(service);
        await sticks(target);
        const [first] = await distinct(target, 1);
        await retry(
          async () => assert.notDeepEqual(await distinct(target, 1), [first]),
          ROUNDS * (BOUND_SECONDS + 1) * 1000,
          (BOUND_SECONDS + 1) * 1000,
        );
        await sticks(target);
      });
  });
});
