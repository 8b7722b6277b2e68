import { type Pod, SERVICE_ACCOUNTS, type ServiceAccountTokenProjection } from '#kube-api';
import { isNotFound, type KubeClient } from '#kube-client';
import type { Clock } from '#runtime';
import { tokenKey, tokenProjections } from '../plan/references.ts';

/** A kubelet renews a token after so much of its life: pkg/kubelet/token/token_manager.go. */
const RENEW_AFTER = 0.8;
const DEFAULT_SECONDS = 3600;

interface HeldToken {
  readonly token: string;
  /** Monotonic milliseconds. */
  readonly renewAt: number;
}

/** The service account tokens of one Pod: each asked for once, and again before it expires. */
export class PodTokens {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #held = new Map<string, HeldToken>();

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** By {@link tokenKey}; without those that there is no service account for. */
  async of(pod: Pod): Promise<ReadonlyMap<string, string>> {
    const now = this.#clock.monotonic();
    for (const projection of tokenProjections(pod)) {
      const key = tokenKey(projection);
      if ((this.#held.get(key)?.renewAt ?? now) > now) continue;
      const token = await this.#request(pod, projection);
      const lifetime = (projection.expirationSeconds ?? DEFAULT_SECONDS) * 1000;
      if (token !== undefined) this.#held.set(key, { token, renewAt: now + lifetime * RENEW_AFTER });
    }
    return new Map([...this.#held].map(([key, { token }]) => [key, token]));
  }

  /** Milliseconds until the first is to be renewed. */
  renewInMs(): number | undefined {
    const times = [...this.#held.values()].map(({ renewAt }) => renewAt);
    return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - this.#clock.monotonic());
  }

  /** A TokenRequest bound to the Pod; undefined when the service account is not there. */
  async #request(pod: Pod, projection: ServiceAccountTokenProjection): Promise<string | undefined> {
    const { namespace = 'default', name = '', uid = '' } = pod.metadata ?? {};
    const account = pod.spec?.serviceAccountName ?? 'default';
    const spec = {
      audiences: projection.audience === undefined ? [] : [projection.audience],
      expirationSeconds: projection.expirationSeconds ?? DEFAULT_SECONDS,
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
    };
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
    try {
      const answer = await this.#client.post(
        SERVICE_ACCOUNTS,
        { namespace, name: account },
        'token',
        request,
      );
      return tokenOf(answer);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}

function tokenOf(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('status' in answer)) return undefined;
  const { status } = answer;
  if (typeof status !== 'object' || status === null || !('token' in status)) return undefined;
  return typeof status.token === 'string' ? status.token : undefined;
}
