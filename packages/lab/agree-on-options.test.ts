import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreeOnOptions } from './agree-on-options.ts';
import { DEFAULT_LAB_OPTIONS } from './options.ts';

test('agreeOnOptions: a new lab is as asked, and as by default', () => {
  assert.deepEqual(agreeOnOptions('x', undefined, { nodes: 5 }), { ...DEFAULT_LAB_OPTIONS, nodes: 5 });
});

test('agreeOnOptions: a stored lab keeps its nodes, and takes another proxy', () => {
  const stored = { ...DEFAULT_LAB_OPTIONS, nodes: 2 };
  assert.deepEqual(agreeOnOptions('x', stored, {}), stored);
  assert.deepEqual(agreeOnOptions('x', stored, { nodes: 2, proxy: 'iptables' }), {
    ...stored,
    proxy: 'iptables',
  });
  assert.throws(() => agreeOnOptions('x', stored, { nodes: 4 }), {
    message:
      '--nodes: invalid value 4: lab x was made with 2; leave the flag out, or remove the lab first: podway lab down --name x',
  });
});
