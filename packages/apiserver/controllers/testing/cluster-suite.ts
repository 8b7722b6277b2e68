import { test } from 'node:test';
import type { KubeClient } from '#kube-client';
import { silentLogger, systemClock } from '#runtime';
import { startControllers } from '../start-controllers.ts';
import type { Check } from './cluster-suite/check.ts';
import { deletionChecks } from './cluster-suite/deletion.ts';
import { deploymentChecks } from './cluster-suite/deployments.ts';
import { endpointChecks } from './cluster-suite/endpoints.ts';
import { namespaceChecks } from './cluster-suite/namespaces.ts';
import { nodeChecks } from './cluster-suite/nodes.ts';
import { startFakeKubelets } from './fake-kubelets.ts';

/** What the controllers do together, over whatever API server `connect` gives; called once a test. */
export function clusterSuite(
  name: string,
  connect: () => Promise<{ readonly client: KubeClient } & AsyncDisposable>,
): void {
  const check: Check = (what, body) =>
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

  deploymentChecks(check);
  endpointChecks(check);
  nodeChecks(check);
  namespaceChecks(check);
  deletionChecks(check);
}
