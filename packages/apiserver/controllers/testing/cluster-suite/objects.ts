import { DEPLOYMENTS, type Deployment, ENDPOINT_SLICES, PODS, type Pod } from '#kube-api';
import { isNotFound, type KubeClient } from '#kube-client';
import { eventually } from '#runtime';

export const namespace = 'default';

export function deployment(
  name: string,
  replicas: number,
  more: Partial<Deployment['spec']> = {},
): Deployment {
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
export function complete(client: KubeClient, name: string, replicas: number): Promise<Deployment> {
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

export async function setImage(client: KubeClient, name: string, image: string): Promise<void> {
  const body = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: image }];
  await client.patch(DEPLOYMENTS, { namespace, name }, 'json', body);
}

export async function podsOf(client: KubeClient, app: string): Promise<readonly Pod[]> {
  return (await client.list(PODS, { namespace, labelSelector: `app=${app}` })).items;
}

export async function slicesOf(client: KubeClient, service: string) {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  return (await client.list(ENDPOINT_SLICES, { namespace, labelSelector })).items;
}

export async function gone(get: Promise<unknown>): Promise<boolean> {
  try {
    await get;
    return false;
  } catch (error) {
    return isNotFound(error);
  }
}
