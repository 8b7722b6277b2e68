import type { RateLimit, ShapingPort } from '../ports/shaping.ts';
import { checkRateLimit } from '../rate-limit.ts';
import type { FakeLink, NamespaceState } from './state.ts';

export class FakeShaping implements ShapingPort {
  readonly #state: NamespaceState;
  readonly #limits = new WeakMap<FakeLink, RateLimit>();
  readonly #redirections = new WeakMap<FakeLink, FakeLink>();

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  limit(link: string, limit: RateLimit): void {
    checkRateLimit(link, limit);
    this.#limits.set(this.#state.requireLink(link, 'limit the rate of', link), limit);
  }

  limitOf(link: string): RateLimit | undefined {
    const found = this.#state.links.get(link);
    return found === undefined ? undefined : this.#limits.get(found);
  }

  unlimit(link: string): void {
    const found = this.#state.links.get(link);
    if (found !== undefined) this.#limits.delete(found);
  }

  redirectIngress(link: string, target: string): void {
    const operation = 'redirect what arrives by';
    const object = `${link} to ${target}`;
    const from = this.#state.requireLink(link, operation, object);
    this.#redirections.set(from, this.#state.requireLink(target, operation, object));
  }

  redirectOf(link: string): string | undefined {
    const found = this.#state.links.get(link);
    const target = found === undefined ? undefined : this.#redirections.get(found);
    return target === undefined || this.#state.links.get(target.name) !== target ? undefined : target.name;
  }

  unredirectIngress(link: string): void {
    const found = this.#state.links.get(link);
    if (found !== undefined) this.#redirections.delete(found);
  }
}
