import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { seededRandom } from '#runtime';
import { issueCertificate } from './certificate.ts';

const deps = { now: Date.UTC(2026, 0, 2, 3, 4, 5), random: seededRandom(1) };
const authority = () => issueCertificate({ commonName: 'podway-lab', usage: 'authority' }, undefined, deps);

test('issueCertificate: an authority signs itself and what it issues', async () => {
  const ca = await authority();
  const client = await issueCertificate(
    { commonName: 'system:node:node1', organizations: ['system:nodes'], usage: 'client' },
    ca,
    deps,
  );
  const caCertificate = new X509Certificate(ca.certificate);
  const certificate = new X509Certificate(client.certificate);
  assert.equal(caCertificate.ca, true);
  assert.ok(caCertificate.verify(caCertificate.publicKey));
  assert.ok(certificate.verify(caCertificate.publicKey));
  assert.ok(certificate.checkIssued(caCertificate));
  assert.equal(certificate.ca, false);
  assert.equal(certificate.subject, 'O=system:nodes\nCN=system:node:node1');
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.equal(certificate.validFromDate.toISOString(), '2026-01-02T02:04:05.000Z');
});

test('issueCertificate: a server bears its names and addresses of both families', async () => {
  const server = await issueCertificate(
    {
      commonName: 'kube-apiserver',
      usage: 'server',
      hosts: ['kubernetes.default.svc', '10.96.0.1', 'fd00::1'],
    },
    await authority(),
    deps,
  );
  const certificate = new X509Certificate(server.certificate);
  assert.equal(certificate.checkHost('kubernetes.default.svc'), 'kubernetes.default.svc');
  assert.equal(certificate.checkIP('10.96.0.1'), '10.96.0.1');
  assert.equal(certificate.checkIP('fd00::1'), 'fd00::1');
  assert.equal(certificate.checkIP('10.96.0.2'), undefined);
});

test('issueCertificate: server and client know each other over TLS', async () => {
  const ca = await authority();
  const [server, client] = await Promise.all([
    issueCertificate({ commonName: 'server', usage: 'server', hosts: ['127.0.0.1'] }, ca, deps),
    issueCertificate({ commonName: 'admin', organizations: ['a', 'b'], usage: 'client' }, ca, deps),
  ]);
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: ca.certificate,
    requestCert: true,
    rejectUnauthorized: true,
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  assert.ok(address !== null && typeof address === 'object');
  const accepted = once(listener, 'secureConnection');
  const socket = connect({
    host: '127.0.0.1',
    port: address.port,
    ca: ca.certificate,
    cert: client.certificate,
    key: client.key,
  });
  try {
    await once(socket, 'secureConnect');
    const [peer] = (await accepted) as [TLSSocket];
    assert.deepEqual({ ...peer.getPeerCertificate().subject }, { O: ['a', 'b'], CN: 'admin' });
  } finally {
    socket.destroy();
    listener.close();
  }
});
