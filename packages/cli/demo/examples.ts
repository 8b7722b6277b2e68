import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { DEPLOYMENTS, type Deployment, SERVICES, type Service } from '#kube-api';
import type { KubeClient } from '#kube-client';
import { InvalidInputError } from '#runtime';

/** The Kubernetes examples that the demo runs; `examples/README.md` says where they are from. */
export const EXAMPLES = [
  'my-nginx.yaml',
  'redis-leader.yaml',
  'redis-follower.yaml',
  'hello-world-5.yaml',
] as const;

export function examplePath(file: string): string {
  return join(import.meta.dirname, '../../../examples', file);
}

/** Creates a file's objects in namespace `default`. @returns `deployment/my-nginx`, … */
export async function createExample(client: KubeClient, file: string): Promise<readonly string[]> {
  const documents = parseAllDocuments(readFileSync(examplePath(file), 'utf8'));
  const created: string[] = [];
  for (const document of documents) {
    const object = document.toJS() as Deployment | Service | null;
    if (object === null) continue;
    const placed = { ...object, metadata: { ...object.metadata, namespace: 'default' } };
    switch (object.kind) {
      case 'Deployment':
        await client.create(DEPLOYMENTS, placed as Deployment);
        break;
      case 'Service':
        await client.create(SERVICES, placed as Service);
        break;
      default:
        throw new InvalidInputError(
          `${file}: kind`,
          object.kind,
          'the demo creates Deployments and Services',
        );
    }
    created.push(`${object.kind.toLowerCase()}/${object.metadata?.name}`);
  }
  return created;
}
