import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Fixture, refuses } from './fixture.ts';

export function namespacesConformance(given: Fixture): void {
  describe('namespaces', () => {
    test('createNetns: a path is taken once; openNetns finds the same namespace', () => {
      refuses('EEXIST', () => given.kernel.createNetns(given.otherPath));
      using again = given.kernel.openNetns(given.otherPath);
      assert.equal(again.inode, given.other.inode);
      assert.notEqual(given.other.inode, given.netns.inode);
    });
    test('openNetns: a path that is not there is ENOENT', () => {
      refuses('ENOENT', () => given.kernel.openNetns('/run/netns/none'));
    });
    test('deleteNetns: nothing there is no error, and the path is free again', () => {
      given.kernel.deleteNetns(given.path(9999));
      given.kernel.createNetns(given.path(9999))[Symbol.dispose]();
      given.kernel.deleteNetns(given.path(9999));
      given.kernel.deleteNetns(given.path(9999));
      refuses('ENOENT', () => given.kernel.openNetns(given.path(9999)));
    });
    test('run: returns what the section returns and passes its error on', () => {
      assert.equal(
        given.netns.run(() => 7),
        7,
      );
      assert.throws(() => given.netns.run(() => assert.fail('x')), /x/);
    });
    test('a new namespace has a loopback link, down, and nothing else', () => {
      assert.deepEqual(
        given.netns.links.list().map(({ name, kind, up, index }) => ({ name, kind, up, index })),
        [{ name: 'lo', kind: 'loopback', up: false, index: 1 }],
      );
      assert.deepEqual(given.netns.routes.list({ table: 254 }), []);
    });
  });
}
