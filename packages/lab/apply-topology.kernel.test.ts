import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { sandboxedKernel } from '#kernel';
import { applyTopology } from './apply-topology.ts';
import { LabError } from './errors.ts';
import { planTopology } from './topology.ts';

test('applyTopology: nodes reach each other, and the outside client reaches them through the router', () => {
  using _topology = applyTopology(sandboxedKernel(), planTopology({ nodes: 2, ipFamily: 'dual' }));
  const ping = (from: string, to: string) =>
    execFileSync('ip', ['netns', 'exec', from, 'ping', '-c', '1', '-w', '20', to], { encoding: 'utf8' });
  assert.match(ping('node1', '172.30.0.12'), /ttl=64/);
  assert.match(ping('outside', '172.30.0.12'), /ttl=63/);
  // The addresses are there at once: nobody waits until it is known that no other has them.
  assert.match(ping('node1', 'fd00:172:30::c'), /ttl=64/);
  assert.match(ping('outside', 'fd00:172:30::c'), /ttl=63/);
  const routes = execFileSync('ip', ['-n', 'node1', 'route', 'show', 'default'], { encoding: 'utf8' });
  assert.match(routes, /^default via 172\.30\.0\.1 dev eth0 proto static/);
  // A second time everything is there already: the step that failed is named.
  assert.throws(
    () => applyTopology(sandboxedKernel(), planTopology({ nodes: 2, ipFamily: 'dual' })),
    (error) =>
      error instanceof LabError &&
      error.message === "cannot make the lab's network: ip link add lan type bridge",
  );
});
