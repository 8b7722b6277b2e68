import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';

test('LinuxLinks.add: a step that fails after the link is made leaves no link', () => {
  using netns = sandboxedKernel().currentNetns();
  const before = netns.links.list().map(({ name }) => name);
  // The kernel takes 255 bytes.
  const alias = 'x'.repeat(300);
  assert.throws(() => netns.links.add({ kind: 'bridge', name: 'br9', alias }), { operation: 'change link' });
  assert.throws(() => netns.links.add({ kind: 'veth', name: 'a9', peer: { name: 'b9', alias } }), {
    operation: 'change link',
  });
  assert.deepEqual(
    netns.links.list().map(({ name }) => name),
    before,
  );
});

test('LinuxLinks.deleteAsync: the link is gone when it resolves, with its peer; its name is free', async () => {
  using netns = sandboxedKernel().currentNetns();
  for (let i = 0; i < 10; i++) {
    netns.links.add({ kind: 'veth', name: 'a', peer: { name: 'b' } });
    await netns.links.deleteAsync('a');
    assert.deepEqual([netns.links.get('a'), netns.links.get('b')], [undefined, undefined]);
  }
});
