import { testAdmin, testTls } from './pki.ts';

/** The text of an administrator's kubeconfig: JSON, which is YAML too. */
export function testKubeconfig(server: string): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'test', cluster: { server, 'certificate-authority-data': base64(testTls.clientAuthority) } },
    ],
    users: [
      {
        name: 'admin',
        user: {
          'client-certificate-data': base64(testAdmin.certificate),
          'client-key-data': base64(testAdmin.key),
        },
      },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  });
}
