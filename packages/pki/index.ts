export { type CertificateRequest, type Credential, issueCertificate } from './certificate.ts';
