import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostInUrl } from '#ip';
import { type CertificateRequest, type Credential, issueCertificate } from '#pki';
import { type Clock, type Random, systemClock, systemRandom, writeFileAtomically } from '#runtime';
import { API_SERVER_PORT, addressPlans, CLUSTER_DOMAIN, type LabIpFamily, nodeNames } from './addresses.ts';
import { formatKubeconfig } from './kubeconfig.ts';
import type { LabPaths } from './paths.ts';
import type { LabRecord } from './records.ts';

type CredentialPaths = Pick<LabPaths, 'pki' | 'kubeconfig'>;

/** Who the API server knows: one of `authority`, `apiserver`, `admin` or a node's name. */
export function certificatePath({ pki }: Pick<LabPaths, 'pki'>, owner: string): string {
  return join(pki, `${owner}.crt`);
}

export function keyPath({ pki }: Pick<LabPaths, 'pki'>, owner: string): string {
  return join(pki, `${owner}.key`);
}

/** A node's way to the API server, from inside the lab. */
export function nodeKubeconfigPath({ pki }: Pick<LabPaths, 'pki'>, node: string): string {
  return join(pki, `${node}.kubeconfig`);
}

/** Keys and what holds one are their owner's alone. */
const OWN = 0o600;

/** Names under which Pods, nodes and the user's shell reach the API server. */
const serverHosts = (ipFamily: LabIpFamily): readonly string[] => [
  '127.0.0.1',
  'localhost',
  ...addressPlans(ipFamily).flatMap(({ routerOnLan, kubernetes }) => [routerOnLan, kubernetes]),
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  `kubernetes.default.svc.${CLUSTER_DOMAIN}`,
];

/** Makes the lab's authority and what it issues, or keeps what is there; the user's kubeconfig gets the present port. */
export async function prepareCredentials(
  paths: CredentialPaths,
  record: Pick<LabRecord, 'name' | 'options' | 'port'>,
  clock: Clock = systemClock,
  random: Random = systemRandom,
): Promise<void> {
  mkdirSync(paths.pki, { recursive: true, mode: 0o700 });
  const obtain = async (owner: string, request: CertificateRequest, issuer?: Credential) => {
    const certificate = certificatePath(paths, owner);
    const key = keyPath(paths, owner);
    if (existsSync(certificate) && existsSync(key))
      return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
    const issued = await issueCertificate(request, issuer, { now: clock.now(), random });
    writeFileAtomically(key, issued.key, OWN);
    writeFileAtomically(certificate, issued.certificate, OWN);
    return issued;
  };
  const authority = await obtain('authority', {
    commonName: `podway-lab-${record.name}`,
    usage: 'authority',
  });
  const kubeconfig = (user: string, server: string, credential: Credential) =>
    formatKubeconfig({
      cluster: `podway-${record.name}`,
      user,
      server,
      authority: authority.certificate,
      credential,
    });
  const server = obtain(
    'apiserver',
    { commonName: 'kube-apiserver', usage: 'server', hosts: serverHosts(record.options.ipFamily) },
    authority,
  );
  const admin = async () => {
    const request = {
      commonName: 'podway-admin',
      organizations: ['system:masters'],
      usage: 'client' as const,
    };
    const credential = await obtain('admin', request, authority);
    const address = `https://127.0.0.1:${record.port}`;
    writeFileAtomically(paths.kubeconfig, kubeconfig('admin', address, credential), OWN);
  };
  const node = async (name: string) => {
    const request = {
      commonName: `system:node:${name}`,
      organizations: ['system:nodes'],
      usage: 'client' as const,
    };
    const credential = await obtain(name, request, authority);
    const [{ routerOnLan }] = addressPlans(record.options.ipFamily);
    const address = `https://${hostInUrl(routerOnLan)}:${API_SERVER_PORT}`;
    writeFileAtomically(nodeKubeconfigPath(paths, name), kubeconfig(name, address, credential), OWN);
  };
  await Promise.all([server, admin(), ...nodeNames(record.options.nodes).map(node)]);
}
