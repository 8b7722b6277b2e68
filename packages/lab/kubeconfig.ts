import type { Credential } from '#pki';

export interface KubeconfigContent {
  readonly cluster: string;
  readonly user: string;
  /** `https://ADDRESS:PORT`. */
  readonly server: string;
  /** PEM. */
  readonly authority: string;
  readonly credential: Credential;
}

/** A kubeconfig that holds all it needs. JSON is YAML, and reading it takes no YAML parser. */
export function formatKubeconfig({
  cluster,
  user,
  server,
  authority,
  credential,
}: KubeconfigContent): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': cluster,
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(credential.certificate),
          'client-key-data': base64(credential.key),
        },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user } }],
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
