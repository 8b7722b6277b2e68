import assert from 'node:assert/strict';
import { DEPLOYMENTS, ENDPOINTS, NODES, SERVICES } from '#kube-api';
import { eventually } from '#runtime';
import type { Check } from './check.ts';
import { complete, deployment, gone, namespace, slicesOf } from './objects.ts';

/** What follows a Service. */
export function endpointChecks(check: Check): void {
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
}
