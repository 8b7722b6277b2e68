import { readFileSync } from 'node:fs';
import type { TlsOptions } from '../server/options.ts';

const read = (name: string) => readFileSync(new URL(`../testdata/pki/${name}`, import.meta.url), 'utf8');

/** Certificates that only tests know, for a server at 127.0.0.1; valid for a hundred years. */
export const testTls: TlsOptions = {
  certificate: read('server.crt'),
  key: read('server.key'),
  clientAuthority: read('ca.crt'),
};

/** The administrator's certificate and key. */
export const testAdmin = { certificate: read('admin.crt'), key: read('admin.key') } as const;
