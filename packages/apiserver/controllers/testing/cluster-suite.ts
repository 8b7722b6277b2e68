import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  type Deployment,
  ENDPOINT_SLICES,
  ENDPOINTS,
  EVENTS,
  NAMESPACES,
  NODES,
  PODS,
  type Pod,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '#kube-api';
import { isNotFound, type KubeClient } from '#kube-client';
import { silentLogger, systemClock } from '#runtime';
import { startControllers } from '../start-controllers.ts';
import { eventually } from './eventually.ts';
import { type FakeKubelets, startFakeKubelets } from './fake-kubelets.ts';

interface Cluster {
  readonly client: KubeClient;
  readonly kubelets: FakeKubelets;
}

const namespace = 'default';

/** What the controllers do together, over whatever API server `connect` gives; called once a test. */
export function clusterSuite(
  name: string,
  connect: () => Promise<{ readonly client: KubeClient } & AsyncDisposable>,
): void {
  const check = (what: string, body: (cluster: Cluster) => Promise<void>) =>
    test(`startControllers (${name}): ${what}`, async () => {
      await using server = await connect();
      const { client } = server;
      await using _controllers = startControllers({
        client,
        clock: systemClock,
        logger: silentLogger,
        config: {
          podCidrs: ['10.244.0.0/16', 'fd00:10:244::/48'],
          rootCa: 'ROOT CA',
          nodeGraceMs: 60_000,
        },
      });
      await using kubelets = await startFakeKubelets(client, ['node1', 'node2', 'node3']);
      await body({ client, kubelets });
    });

  check(
    'a Deployment becomes Pods spread over the nodes, and says that it is complete',
    async ({ client }) => {
      await client.create(DEPLOYMENTS, deployment('web', 6));
      const done = await complete(client, 'web', 6);
      const pods = await podsOf(client, 'web');
      assert.deepEqual(
        countBy(pods, ({ spec }) => spec?.nodeName ?? ''),
        { node1: 2, node2: 2, node3: 2 },
      );
      assert.equal(done.metadata?.annotations?.['deployment.kubernetes.io/revision'], '1');
      const conditions = (done.status?.conditions ?? []).map(
        ({ type, status, reason }) => `${type} ${status} ${reason}`,
      );
      assert.deepEqual(conditions.toSorted(), [
        'Available True MinimumReplicasAvailable',
        'Progressing True NewReplicaSetAvailable',
      ]);
      assert.equal(done.status?.unavailableReplicas, undefined);
    },
  );

  check('no Pod too many is ever made', async ({ client }) => {
    await client.create(DEPLOYMENTS, deployment('web', 20));
    await complete(client, 'web', 20);
    const { items } = await client.list(EVENTS, { namespace });
    const created = items.filter(
      ({ reason, involvedObject }) => reason === 'SuccessfulCreate' && involvedObject.kind === 'ReplicaSet',
    );
    assert.equal(created.length, 20);
  });

  check('a new template rolls out, keeps history, and can be undone', async ({ client }) => {
    await client.create(DEPLOYMENTS, deployment('web', 4));
    await complete(client, 'web', 4);
    await setImage(client, 'web', 'nginx:2');
    await eventually('all Pods are new', async () => {
      const pods = await podsOf(client, 'web');
      return pods.length === 4 && pods.every(({ spec }) => spec?.containers[0]?.image === 'nginx:2');
    });
    assert.equal(
      (await complete(client, 'web', 4)).metadata?.annotations?.['deployment.kubernetes.io/revision'],
      '2',
    );
    await setImage(client, 'web', 'nginx:1');
    await eventually('revision 3', async () => {
      const held = await client.get(DEPLOYMENTS, { namespace, name: 'web' });
      return held.metadata?.annotations?.['deployment.kubernetes.io/revision'] === '3';
    });
    await complete(client, 'web', 4);
    const { items } = await client.list(REPLICA_SETS, { namespace });
    assert.deepEqual(
      items.map(({ metadata }) => metadata?.annotations?.['deployment.kubernetes.io/revision']).toSorted(),
      ['2', '3'],
    );
  });

  check('a rollout whose Pods fail leaves the old ones serving', async ({ client, kubelets }) => {
    await client.create(DEPLOYMENTS, deployment('web', 4));
    await complete(client, 'web', 4);
    kubelets.failing = ({ spec }) => spec?.containers[0]?.image === 'broken';
    await setImage(client, 'web', 'broken');
    const stuck = await eventually('the rollout is stuck', async () => {
      const held = await client.get(DEPLOYMENTS, { namespace, name: 'web' });
      return (
        held.status?.updatedReplicas === 2 &&
        held.status.observedGeneration === held.metadata?.generation &&
        held
      );
    });
    assert.equal(stuck.status?.availableReplicas, 3);
    assert.equal(stuck.status?.replicas, 5);
  });

  check('Recreate starts nothing new before the old is gone', async ({ client, kubelets }) => {
    await client.create(DEPLOYMENTS, { ...deployment('web', 2, { strategy: { type: 'Recreate' } }) });
    await complete(client, 'web', 2);
    kubelets.slowToEnd = true;
    await setImage(client, 'web', 'nginx:2');
    await eventually('the old end', async () =>
      (await podsOf(client, 'web')).every(({ metadata }) => metadata?.deletionTimestamp !== undefined),
    );
    assert.equal((await client.list(REPLICA_SETS, { namespace })).items.length, 1);
    kubelets.slowToEnd = false;
    for (const { metadata } of await podsOf(client, 'web'))
      await client.delete(PODS, { namespace, name: metadata?.name ?? '' }, { gracePeriodSeconds: 0 });
    await complete(client, 'web', 2);
    assert.equal((await client.list(REPLICA_SETS, { namespace })).items.length, 2);
  });

  check('scaling goes up and down, and a deleted Pod is replaced', async ({ client }) => {
    await client.create(DEPLOYMENTS, deployment('web', 2));
    await complete(client, 'web', 2);
    await client.patch(DEPLOYMENTS, { namespace, name: 'web' }, 'merge', { spec: { replicas: 5 } });
    await complete(client, 'web', 5);
    await client.patch(DEPLOYMENTS, { namespace, name: 'web' }, 'merge', { spec: { replicas: 1 } });
    await complete(client, 'web', 1);
    const [only] = await podsOf(client, 'web');
    await client.delete(PODS, { namespace, name: only?.metadata?.name ?? '' });
    await eventually('another Pod', async () => {
      const [pod] = await podsOf(client, 'web');
      return (
        pod !== undefined && pod.metadata?.uid !== only?.metadata?.uid && pod.status?.phase === 'Running'
      );
    });
  });

  check(
    'a Pod that loses its labels is let go and replaced, one that gains them is adopted',
    async ({ client }) => {
      await client.create(DEPLOYMENTS, deployment('web', 1));
      await complete(client, 'web', 1);
      const [first] = await podsOf(client, 'web');
      const name = { namespace, name: first?.metadata?.name ?? '' };
      await client.patch(PODS, name, 'merge', { metadata: { labels: { app: 'debug' } } });
      await eventually(
        'it is released',
        async () =>
          (await client.get(PODS, name)).metadata?.ownerReferences === undefined ||
          (await client.get(PODS, name)).metadata?.ownerReferences?.length === 0,
      );
      await eventually('it is replaced', async () => (await podsOf(client, 'web')).length === 1);
      await client.patch(PODS, name, 'merge', { metadata: { labels: { app: 'web' } } });
      await eventually('one of two goes', async () => {
        const pods = await podsOf(client, 'web');
        return pods.length === 1 && pods[0]?.metadata?.ownerReferences?.length === 1;
      });
    },
  );

  check('a Service is followed by EndpointSlice and Endpoints', async ({ client }) => {
    await client.create(SERVICES, {
      metadata: { namespace, name: 'web', labels: { team: 'a' } },
      spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    });
    await eventually('an empty slice', async () => (await slicesOf(client, 'web')).length === 1);
    await client.create(DEPLOYMENTS, deployment('web', 3));
    await complete(client, 'web', 3);
    const slice = await eventually('three ready endpoints', async () => {
      const [found] = await slicesOf(client, 'web');
      return found?.endpoints?.filter(({ conditions }) => conditions?.ready).length === 3 && found;
    });
    assert.deepEqual(
      slice.ports?.map(({ name, port, protocol }) => [name, port, protocol]),
      [['http', 8080, 'TCP']],
    );
    assert.equal(slice.metadata?.labels?.['team'], 'a');
    const endpoints = await eventually('the old Endpoints too', async () => {
      const held = await client.get(ENDPOINTS, { namespace, name: 'web' });
      return held.subsets?.[0]?.addresses?.length === 3 && held;
    });
    assert.equal(endpoints.subsets?.[0]?.ports?.[0]?.port, 8080);
    await client.delete(SERVICES, { namespace, name: 'web' });
    await eventually('both go', async () => {
      const slices = await slicesOf(client, 'web');
      return slices.length === 0 && (await gone(client.get(ENDPOINTS, { namespace, name: 'web' })));
    });
  });

  check('a zone that a node gets shows in endpoints and their hints', async ({ client }) => {
    const spec = { selector: { app: 'near' }, ports: [{ port: 80 }], trafficDistribution: 'PreferClose' };
    await client.create(SERVICES, { metadata: { namespace, name: 'near' }, spec });
    await client.create(DEPLOYMENTS, deployment('near', 1));
    await complete(client, 'near', 1);
    const endpointOfNear = async () => (await slicesOf(client, 'near'))[0]?.endpoints?.[0];
    const { nodeName = '' } = await eventually('an endpoint', async () => await endpointOfNear());
    const labels = { 'topology.kubernetes.io/zone': 'east' };
    await client.patch(NODES, { name: nodeName }, 'merge', { metadata: { labels } });
    const endpoint = await eventually('its zone', async () => {
      const found = await endpointOfNear();
      return found?.zone === 'east' && found.conditions?.ready === true && found;
    });
    assert.deepEqual(endpoint.hints, { forZones: [{ name: 'east' }] });
    await client.patch(NODES, { name: nodeName }, 'merge', {
      metadata: { labels: { 'topology.kubernetes.io/zone': null } },
    });
    await client.delete(SERVICES, { namespace, name: 'near' });
    await client.delete(DEPLOYMENTS, { namespace, name: 'near' });
  });

  check('Endpoints that a person wrote are mirrored', async ({ client }) => {
    const metadata = { namespace, name: 'outside' };
    await client.create(SERVICES, { metadata, spec: { ports: [{ port: 80 }] } });
    await client.create(ENDPOINTS, {
      metadata,
      subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
    });
    const slice = await eventually('a slice', async () => {
      const [found] = await slicesOf(client, 'outside');
      return found?.endpoints?.length === 1 && found;
    });
    assert.deepEqual(slice.endpoints?.[0]?.addresses, ['192.0.2.1']);
  });

  check('every node gets a network of each family', async ({ client }) => {
    const nodes = await eventually('networks', async () => {
      const { items } = await client.list(NODES);
      return items.every(({ spec }) => spec?.podCIDRs?.length === 2) && items;
    });
    assert.deepEqual(nodes.map(({ spec }) => spec?.podCIDR).toSorted(), [
      '10.244.0.0/24',
      '10.244.1.0/24',
      '10.244.2.0/24',
    ]);
    assert.match(nodes[0]?.spec?.podCIDRs?.[1] ?? '', /^fd00:10:244:\w*:?:\/64$/);
  });

  check(
    'every namespace gets its service account and root certificate, also when they are taken away',
    async ({ client }) => {
      await client.create(NAMESPACES, { metadata: { name: 'team' } });
      const account = { namespace: 'team', name: 'default' };
      const root = { namespace: 'team', name: 'kube-root-ca.crt' };
      await eventually('service account', () => client.get(SERVICE_ACCOUNTS, account));
      assert.equal(
        (await eventually('root', () => client.get(CONFIG_MAPS, root))).data?.['ca.crt'],
        'ROOT CA',
      );
      const before = await client.get(SERVICE_ACCOUNTS, account);
      await client.delete(SERVICE_ACCOUNTS, account);
      await eventually(
        'again',
        async () => (await client.get(SERVICE_ACCOUNTS, account)).metadata?.uid !== before.metadata?.uid,
      );
    },
  );

  check('a deleted namespace is emptied and goes', async ({ client }) => {
    await client.create(NAMESPACES, { metadata: { name: 'team' } });
    await client.create(DEPLOYMENTS, {
      ...deployment('web', 2),
      metadata: { namespace: 'team', name: 'web' },
    });
    await eventually(
      'Pods run',
      async () =>
        (await client.list(PODS, { namespace: 'team' })).items.filter(
          ({ status }) => status?.phase === 'Running',
        ).length === 2,
    );
    await client.delete(NAMESPACES, { name: 'team' });
    await eventually('it is gone', () => gone(client.get(NAMESPACES, { name: 'team' })));
    assert.equal((await client.list(PODS, { namespace: 'team' })).items.length, 0);
  });

  for (const propagationPolicy of ['Background', 'Foreground'] as const)
    check(`a Deployment deleted in the ${propagationPolicy} takes all with it`, async ({ client }) => {
      await client.create(DEPLOYMENTS, deployment('web', 2));
      await complete(client, 'web', 2);
      await client.delete(DEPLOYMENTS, { namespace, name: 'web' }, { propagationPolicy });
      await eventually('everything is gone', async () => {
        const left = await Promise.all([
          client.list(DEPLOYMENTS, { namespace }),
          client.list(REPLICA_SETS, { namespace }),
          client.list(PODS, { namespace }),
        ]);
        return left.every(({ items }) => items.length === 0);
      });
    });

  check('a Deployment deleted as Orphan leaves its ReplicaSet and Pods', async ({ client }) => {
    await client.create(DEPLOYMENTS, deployment('web', 2));
    await complete(client, 'web', 2);
    await client.delete(DEPLOYMENTS, { namespace, name: 'web' }, { propagationPolicy: 'Orphan' });
    await eventually('the Deployment is gone', () =>
      gone(client.get(DEPLOYMENTS, { namespace, name: 'web' })),
    );
    const { items } = await client.list(REPLICA_SETS, { namespace });
    assert.deepEqual(
      items.map(({ metadata }) => metadata?.ownerReferences?.length ?? 0),
      [0],
    );
    assert.equal((await podsOf(client, 'web')).length, 2);
  });

  check('a Pod that no node suits waits, says why, and starts when one does', async ({ client }) => {
    await client.create(PODS, {
      metadata: { namespace, name: 'picky' },
      spec: { nodeSelector: { disk: 'fast' }, containers: [{ name: 'main', image: 'nginx' }] },
    });
    const event = await eventually('FailedScheduling', async () =>
      (await client.list(EVENTS, { namespace })).items.find(({ reason }) => reason === 'FailedScheduling'),
    );
    assert.equal(
      event.message,
      "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    );
    await client.patch(NODES, { name: 'node2' }, 'merge', { metadata: { labels: { disk: 'fast' } } });
    await eventually(
      'it runs',
      async () => (await client.get(PODS, { namespace, name: 'picky' })).spec?.nodeName === 'node2',
    );
  });
}

function deployment(name: string, replicas: number, more: Partial<Deployment['spec']> = {}): Deployment {
  return {
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      progressDeadlineSeconds: 600,
      ...more,
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [{ name: 'main', image: 'nginx:1', ports: [{ name: 'http', containerPort: 8080 }] }],
        },
      },
    },
  };
}

/** The Deployment, once all its Pods are of its present template and available. */
function complete(client: KubeClient, name: string, replicas: number): Promise<Deployment> {
  return eventually(`${name} has ${replicas} available`, async () => {
    const held = await client.get(DEPLOYMENTS, { namespace, name });
    const { status } = held;
    const settled =
      status?.observedGeneration === held.metadata?.generation &&
      status?.replicas === replicas &&
      status.updatedReplicas === replicas &&
      status.availableReplicas === replicas;
    return settled && held;
  });
}

async function setImage(client: KubeClient, name: string, image: string): Promise<void> {
  const body = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: image }];
  await client.patch(DEPLOYMENTS, { namespace, name }, 'json', body);
}

async function podsOf(client: KubeClient, app: string): Promise<readonly Pod[]> {
  return (await client.list(PODS, { namespace, labelSelector: `app=${app}` })).items;
}

async function slicesOf(client: KubeClient, service: string) {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  return (await client.list(ENDPOINT_SLICES, { namespace, labelSelector })).items;
}

async function gone(get: Promise<unknown>): Promise<boolean> {
  try {
    await get;
    return false;
  } catch (error) {
    return isNotFound(error);
  }
}

function countBy<T>(items: readonly T[], of: (item: T) => string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[of(item)] = (counts[of(item)] ?? 0) + 1;
  return counts;
}
