import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientConfig, createKubeClient, type KubeClient } from '#kube-client';
import { silentLogger } from '#runtime';
import { inProcessClient } from '../../in-process-client.ts';
import { startApiServer } from '../../server/api-server.ts';
import { testAdmin, testTls } from '../../testing/pki.ts';

/** A client of an API server of its own, on a loopback port, without controllers. */
export async function embeddedServer(
  reach: 'in process' | 'over HTTPS',
): Promise<{ readonly client: KubeClient } & AsyncDisposable> {
  await using cleanup = new AsyncDisposableStack();
  const stateDir = await mkdtemp(join(tmpdir(), 'podway-controllers-'));
  cleanup.defer(() => rm(stateDir, { recursive: true }));
  const server = cleanup.use(
    await startApiServer({
      stateDir,
      listen: [{ address: '127.0.0.1', port: 0 }],
      tls: testTls,
      serviceCidrs: ['10.96.0.0/16'],
      podCidrs: [],
      logger: silentLogger,
      controllers: false,
    }),
  );
  const config: ClientConfig = {
    server: `https://127.0.0.1:${server.addresses[0]?.port}`,
    certificateAuthority: testTls.clientAuthority,
    credentials: testAdmin,
    namespace: 'default',
  };
  const client = reach === 'in process' ? inProcessClient(server) : cleanup.use(createKubeClient(config));
  const resources = cleanup.move();
  return { client, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
