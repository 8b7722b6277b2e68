import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { proxyParts } from './testing/proxy-parts.ts';

describe('Predecessors', () => {
  test('another mechanism goes once this one serves, for as many calls as it needs', async () => {
    const { backend, predecessor, launch, run } = proxyParts();
    backend.broken = true;
    predecessor.lingers = true;
    await using _proxy = launch();
    await run();
    assert.deepEqual(predecessor.calls, ['observe']);
    backend.broken = false;
    await run(100);
    assert.deepEqual(predecessor.calls, ['observe', 'retire']);
    predecessor.lingers = false;
    await run(2_000);
    await run(2_000);
    assert.deepEqual(predecessor.calls, ['observe', 'retire', 'retire']);
  });

  test('another mechanism that this kernel cannot be asked for does not keep this one from serving', async () => {
    const { backend, predecessor, launch, run } = proxyParts();
    predecessor.unreadable = true;
    await using proxy = launch();
    await run();
    assert.deepEqual(backend.calls, ['observe', 'apply default/web']);
    assert.notEqual(proxy.lastUpdated, undefined);
  });
});
