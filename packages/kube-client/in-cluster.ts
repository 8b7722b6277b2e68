import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { errorMessage, InvalidInputError } from '#runtime';
import type { ClientConfig } from './config.ts';

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
const NOT_A_POD = 'not set, so this is not inside a Pod; name a kubeconfig with --kubeconfig FILE';

/**
 * The way to the API server from inside a Pod, by its service account
 * (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). Throws InvalidInputError outside of one.
 */
export async function loadInClusterConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  directory = SERVICE_ACCOUNT_DIRECTORY,
): Promise<ClientConfig> {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'];
  if (!host) throw new InvalidInputError('KUBERNETES_SERVICE_HOST', host ?? '', NOT_A_POD);
  if (!port) throw new InvalidInputError('KUBERNETES_SERVICE_PORT', port ?? '', NOT_A_POD);
  const read = (name: string) =>
    readFile(join(directory, name), 'utf8').catch((cause: unknown) => {
      throw new InvalidInputError(
        'service account',
        join(directory, name),
        `cannot be read: ${errorMessage(cause)}`,
      );
    });
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    certificateAuthority: await read('ca.crt'),
    credentials: { tokenFile: join(directory, 'token') },
    namespace: (await read('namespace')).trim(),
  };
}
