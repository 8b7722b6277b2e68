import assert from 'node:assert/strict';
import { afterEach, beforeEach } from 'node:test';
import { parseIp } from '#ip';
import { isKernelError } from '../errors.ts';
import type { Kernel } from '../ports/kernel.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';

/** Two empty namespaces for every test of the suite that makes it. */
export class Fixture {
  readonly kernel: Kernel;
  #count = 0;
  #handles: readonly [NetworkNamespace, NetworkNamespace] | undefined;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    beforeEach(() => {
      this.#handles = [
        kernel.createNetns(this.path(++this.#count)),
        kernel.createNetns(this.path(++this.#count)),
      ];
    });
    afterEach(() => {
      for (const [i, handle] of (this.#handles ?? []).entries()) {
        handle[Symbol.dispose]();
        kernel.deleteNetns(this.path(this.#count - 1 + i));
      }
    });
  }

  get netns(): NetworkNamespace {
    return this.#handle(0);
  }
  get other(): NetworkNamespace {
    return this.#handle(1);
  }
  /** Where {@link other} is pinned. */
  get otherPath(): string {
    return this.path(this.#count);
  }
  path(n: number): string {
    return `/run/netns/conformance-${n}`;
  }

  /** Links `a` here and `b` in the other namespace, up, with 10.0.0.1/24 and fd00::1/64, and .2 there. */
  pair(): void {
    const { netns, other } = this;
    netns.links.add({ kind: 'veth', name: 'a', up: true, peer: { name: 'b', up: true, netns: other } });
    for (const [where, link, last] of [
      [netns, 'a', 1],
      [other, 'b', 2],
    ] as const) {
      where.addresses.add({ link, address: parseIp(`10.0.0.${last}`), prefixLength: 24 });
      where.addresses.add({ link, address: parseIp(`fd00::${last}`), prefixLength: 64, noDad: true });
    }
  }

  #handle(i: 0 | 1): NetworkNamespace {
    if (this.#handles === undefined) throw new Error('a fixture is there inside tests only');
    return this.#handles[i];
  }
}

export function refuses(errno: string, call: () => unknown): void {
  assert.throws(call, (error) => isKernelError(error, errno) || assert.fail(`not ${errno}: ${error}`));
}

export function refusesLater(errno: string, call: () => Promise<unknown>): Promise<void> {
  return assert.rejects(
    call,
    (error) => isKernelError(error, errno) || assert.fail(`not ${errno}: ${error}`),
  );
}

export function names(netns: NetworkNamespace): string[] {
  return netns.links.list().map(({ name }) => name);
}
