import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';

describe('the thread and its namespaces', () => {
  const kernel = sandboxedKernel();
  const where = () => readlinkSync('/proc/thread-self/ns/net');
  let a: NetworkNamespace;
  let b: NetworkNamespace;

  before(() => {
    a = kernel.createNetns('/run/netns/thread-a');
    b = kernel.createNetns('/run/netns/thread-b');
    // A new namespace has what the machine's own has.
    using home = kernel.currentNetns();
    for (const other of [home, b]) other.sysctl.set('net.ipv4.ip_forward', '0');
    a.sysctl.set('net.ipv4.ip_forward', '1');
  });
  after(() => {
    for (const [netns, path] of [
      [a, 'thread-a'],
      [b, 'thread-b'],
    ] as const) {
      netns[Symbol.dispose]();
      kernel.deleteNetns(`/run/netns/${path}`);
    }
  });

  test('run: nested sections come back to the one around them, errors or not', () => {
    const home = where();
    a.run(() => {
      assert.equal(where(), `net:[${a.inode}]`);
      b.run(() => assert.equal(where(), `net:[${b.inode}]`));
      assert.throws(() => b.run(() => assert.fail('inside')), /inside/);
      assert.equal(where(), `net:[${a.inode}]`);
      kernel.createNetns('/run/netns/thread-c')[Symbol.dispose]();
      kernel.deleteNetns('/run/netns/thread-c');
      assert.equal(where(), `net:[${a.inode}]`);
    });
    assert.equal(where(), home);
  });

  test('run: a handle of where the thread lives leads home, from inside another one too', () => {
    const home = where();
    using here = kernel.currentNetns();
    assert.equal(here.run(where), home);
    assert.equal(
      a.run(() => here.run(where)),
      home,
    );
    assert.equal(
      here.run(() => a.run(where)),
      `net:[${a.inode}]`,
    );
    assert.equal(where(), home);
  });

  test('run: a section that returns a promise is refused, and the thread is back', () => {
    const home = where();
    assert.throws(() => a.run(async () => 1), /section: invalid value "a promise"/);
    assert.equal(where(), home);
  });

  test('run: work of the thread pool stays outside, whatever this thread does meanwhile', async () => {
    const home = where();
    const file = '/proc/sys/net/ipv4/ip_forward';
    const outside = readFileSync(file, 'utf8');
    assert.notEqual(outside.trim(), a.sysctl.get('net.ipv4.ip_forward'));
    for (let cycle = 0; cycle < 100; cycle++) {
      const reads = Array.from({ length: 8 }, () => readFile(file, 'utf8'));
      for (let i = 0; i < 5; i++) {
        assert.equal(a.run(() => readFileSync(file, 'utf8')).trim(), '1');
        assert.equal(b.sysctl.get('net.ipv4.ip_forward'), '0');
      }
      assert.deepEqual(new Set(await Promise.all(reads)), new Set([outside]));
      assert.equal(where(), home);
    }
  });

  test('a handle goes on working where it was opened, and no further once disposed', () => {
    const again = kernel.openNetns('/run/netns/thread-a');
    again.links.list();
    b.run(() => assert.equal(again.sysctl.get('net.ipv4.ip_forward'), '1'));
    b.run(() => again.links.add({ kind: 'bridge', name: 'only-a' }));
    assert.deepEqual([a.links.get('only-a')?.name, b.links.get('only-a')], ['only-a', undefined]);
    again[Symbol.dispose]();
    again[Symbol.dispose]();
    assert.throws(() => again.links.list(), { errno: 'EBADF' });
    assert.throws(() => again.run(() => 1), { errno: 'EBADF' });
  });

  test('openNetns: a file that is no namespace, and a namespace of another kind, are EINVAL', () => {
    assert.throws(() => kernel.openNetns('/etc/hostname'), { errno: 'EINVAL' });
    assert.throws(() => kernel.openNetns('/proc/self/ns/mnt').run(() => 1), { errno: 'EINVAL' });
  });
});
