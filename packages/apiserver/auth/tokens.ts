import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { asObject, asString, at } from '#kube-api';
import type { Clock } from '#runtime';

export interface ServiceAccountIdentity {
  readonly namespace: string;
  readonly name: string;
}

const ISSUER = 'https://kubernetes.default.svc';

/** Service account tokens: JWTs (RFC 7519) signed with ES256, so that a restarted server knows those it gave before. */
export class TokenSigner {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #clock: Clock;

  /** @param key PEM, EC P-256 */
  constructor(key: string, clock: Clock) {
    this.#privateKey = createPrivateKey(key);
    this.#publicKey = createPublicKey(this.#privateKey);
    this.#clock = clock;
  }

  issue(
    { namespace, name }: ServiceAccountIdentity,
    uid: string,
    seconds: number,
    audiences: readonly string[] = [ISSUER],
  ): { readonly token: string; readonly expires: number } {
    const now = Math.floor(this.#clock.now() / 1000);
    const claims = {
      aud: audiences,
      exp: now + seconds,
      iat: now,
      iss: ISSUER,
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${name}`,
      'kubernetes.io': { namespace, serviceaccount: { name, uid } },
    };
    const body = [{ alg: 'ES256', typ: 'JWT' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = sign('sha256', Buffer.from(body), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return { token: `${body}.${signature.toString('base64url')}`, expires: (now + seconds) * 1000 };
  }

  /** Whose token this is; undefined when it is forged, expired or none. */
  verify(token: string): ServiceAccountIdentity | undefined {
    const [header, body, signature, ...rest] = token.split('.');
    if (header === undefined || body === undefined || signature === undefined || rest.length > 0)
      return undefined;
    const genuine = verify(
      'sha256',
      Buffer.from(`${header}.${body}`),
      { key: this.#publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    if (!genuine) return undefined;
    const claims = asObject(JSON.parse(Buffer.from(body, 'base64url').toString()) as unknown);
    const expires = claims['exp'];
    if (typeof expires !== 'number' || expires * 1000 < this.#clock.now()) return undefined;
    const namespace = asString(at(claims, 'kubernetes.io', 'namespace'));
    const name = asString(at(claims, 'kubernetes.io', 'serviceaccount', 'name'));
    return namespace === undefined || name === undefined ? undefined : { namespace, name };
  }
}
