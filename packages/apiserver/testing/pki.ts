import { issueCertificate } from '#pki';
import { systemClock, systemRandom } from '#runtime';
import type { TlsOptions } from '../server/options.ts';

const deps = { now: systemClock.now(), random: systemRandom };
const authority = await issueCertificate({ commonName: 'test-ca', usage: 'authority' }, undefined, deps);
const server = await issueCertificate(
  { commonName: 'kube-apiserver', usage: 'server', hosts: ['127.0.0.1', 'localhost'] },
  authority,
  deps,
);

/** For a server at 127.0.0.1; made anew in each test process. */
export const testTls: TlsOptions = {
  certificate: server.certificate,
  key: server.key,
  clientAuthority: authority.certificate,
};

/** The administrator's certificate and key. */
export const testAdmin = await issueCertificate(
  { commonName: 'podway-admin', organizations: ['system:masters'], usage: 'client' },
  authority,
  deps,
);
