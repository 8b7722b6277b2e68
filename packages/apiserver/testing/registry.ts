import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, seededRandom } from '#runtime';
import { Router } from '../http/route.ts';
import { KINDS } from '../kinds/index.ts';
import type { Kind } from '../registry/kind.ts';
import { Registry } from '../registry/registry.ts';
import type { Target, WriteOptions } from '../registry/requests.ts';
import { ServiceAllocator } from '../registry/service-allocator.ts';
import { StatusError } from '../status.ts';
import { Database } from '../storage/database.ts';
import { Store } from '../storage/store.ts';

export const WRITER: WriteOptions = { manager: 'test' };

/** 2026-01-02T03:04:05Z */
export const START = Date.UTC(2026, 0, 2, 3, 4, 5);

export interface TestRegistry extends Disposable {
  readonly registry: Registry;
  readonly clock: FakeClock;
  readonly store: Store;
}

/** A registry over a database in memory, with namespace `default`. */
export function testRegistry(serviceCidrs: readonly string[] = ['10.96.0.0/16']): TestRegistry {
  const database = new Database(':memory:');
  const store = new Store(database);
  const clock = new FakeClock(START);
  const random = seededRandom(1);
  const registry = new Registry({
    store,
    clock,
    random,
    services: new ServiceAllocator(store, serviceCidrs, random),
  });
  registry.create(kindNamed('namespaces'), undefined, { metadata: { name: 'default' } }, WRITER);
  return { registry, clock, store, [Symbol.dispose]: () => database[Symbol.dispose]() };
}

const router = new Router(KINDS);

export function kindNamed(plural: string, group = '', version = 'v1'): Kind {
  const kind = router.find(group, version, plural);
  if (kind === undefined) throw new Error(`no kind ${group}/${plural}`);
  return kind;
}

export function inDefault(plural: string, name: string, group = ''): Target {
  return { kind: kindNamed(plural, group), namespace: 'default', name };
}

/** What a call is refused with. */
export function refusal(call: () => unknown): StatusError['status'] {
  try {
    call();
  } catch (error) {
    if (error instanceof StatusError) return error.status;
    throw error;
  }
  throw new Error('it was not refused');
}

/** A directory that goes with the value. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'apiserver-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
