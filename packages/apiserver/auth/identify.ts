import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { asString, at, type UserInfo } from '#kube-api';
import type { Registry } from '../registry/registry.ts';
import type { ServiceAccountIdentity, TokenSigner } from './tokens.ts';

/** Who somebody is that is known: most requests need only that there is one. */
export type Identity = () => UserInfo;

const EVERYBODY = 'system:authenticated';

/**
 * Who sends a request: the holder of a certificate of the cluster's authority, or of a token of a service account that is still
 * there; undefined: nobody who is known.
 */
export function identify(
  { socket, headers }: IncomingMessage,
  tokens: TokenSigner,
  registry: Registry,
): Identity | undefined {
  const connection = socket as TLSSocket;
  if (connection.authorized) return () => certificateUser(connection);
  const token = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const account = token === undefined ? undefined : tokens.verify(token);
  if (account === undefined) return undefined;
  const stored = registry.store.get('serviceaccounts', `${account.namespace}/${account.name}`);
  return stored && (() => serviceAccountUser(account, asString(at(stored.object, 'metadata', 'uid'))));
}

/** Source: k8s.io/apiserver authentication/request/x509 CommonNameUserConversion. */
function certificateUser(connection: TLSSocket): UserInfo {
  const { CN = '', O = [] } = connection.getPeerCertificate().subject;
  return { username: String(CN), groups: [O, EVERYBODY].flat() };
}

/** Source: k8s.io/apiserver authentication/serviceaccount. */
function serviceAccountUser({ namespace, name }: ServiceAccountIdentity, uid = ''): UserInfo {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, EVERYBODY],
  };
}
