import { generateKeyPair, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { promisify } from 'node:util';
import { ipToBytes, parseIp } from '#ip';
import type { Random } from '#runtime';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';

/** A certificate and its private key, both PEM. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** Kubernetes reads them as groups. */
  readonly organizations?: readonly string[];
  readonly usage: 'authority' | 'server' | 'client';
  /** DNS names and IP addresses that a server answers at. */
  readonly hosts?: readonly string[];
}

interface CertificateDeps {
  readonly now: number;
  readonly random: Random;
}

const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** A lab lives shorter. */
const LIFETIME_MS = 10 * 365 * 24 * 3600_000;
/** Clocks that are a little behind accept a new certificate, too. */
const BACKDATE_MS = 3600_000;

const generate = promisify(generateKeyPair);

/** Makes a P-256 key and its X.509 certificate (RFC 5280), signed by `issuer`, or by itself when there is none. */
export async function issueCertificate(
  request: CertificateRequest,
  issuer: Credential | undefined,
  { now, random }: CertificateDeps,
): Promise<Credential> {
  const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const subject = distinguishedName(request);
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(random.bytes(16)),
    sequence(objectIdentifier(OID.ecdsaWithSha256)),
    issuer === undefined ? subject : subjectOf(issuer.certificate),
    sequence(time(new Date(now - BACKDATE_MS)), time(new Date(now + LIFETIME_MS))),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions(request))),
  );
  const signature = sign('sha256', body, issuer?.key ?? (privateKey as KeyObject));
  const der = sequence(body, sequence(objectIdentifier(OID.ecdsaWithSha256)), bitString(signature));
  return { certificate: pem(der), key };
}

function distinguishedName({ commonName, organizations = [] }: CertificateRequest): Buffer {
  const attribute = (type: string, value: string) => set(sequence(objectIdentifier(type), utf8String(value)));
  return sequence(
    ...organizations.map((organization) => attribute(OID.organization, organization)),
    attribute(OID.commonName, commonName),
  );
}

function extensions({ usage, hosts = [] }: CertificateRequest): readonly Buffer[] {
  const extension = (id: string, critical: boolean, value: Buffer) =>
    sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value));
  if (usage === 'authority')
    return [
      extension(OID.basicConstraints, true, sequence(boolean(true))),
      // keyCertSign and cRLSign: bits 5 and 6.
      extension(OID.keyUsage, true, bitString(Buffer.from([0b0000_0110]), 1)),
    ];
  return [
    // digitalSignature: bit 0.
    extension(OID.keyUsage, true, bitString(Buffer.from([0b1000_0000]), 7)),
    extension(
      OID.extKeyUsage,
      false,
      sequence(objectIdentifier(usage === 'server' ? OID.serverAuth : OID.clientAuth)),
    ),
    ...(hosts.length === 0
      ? []
      : [extension(OID.subjectAltName, false, sequence(...hosts.map(generalName)))]),
  ];
}

function generalName(host: string): Buffer {
  return isIPv4(host) || isIPv6(host)
    ? implicit(7, ipToBytes(parseIp(host)))
    : implicit(2, Buffer.from(host));
}

/** The issuer's name as it is encoded there: both must be equal byte for byte. */
function subjectOf(certificate: string): Buffer {
  const names = new X509Certificate(certificate).toLegacyObject().subject as unknown as Record<
    string,
    string | string[] | undefined
  >;
  return distinguishedName({
    commonName: String(names['CN']),
    organizations: [names['O'] ?? []].flat(),
    usage: 'authority',
  });
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
