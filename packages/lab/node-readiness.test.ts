import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingNodes } from './node-readiness.ts';

test('missingNodes: names each node and what it waits for', () => {
  const ready = { type: 'Ready', status: 'True' } as const;
  const nodes = [
    { metadata: { name: 'node1' }, spec: { podCIDR: '10.244.0.0/24' }, status: { conditions: [ready] } },
    {
      metadata: { name: 'node2' },
      spec: { podCIDR: '10.244.1.0/24' },
      status: { conditions: [{ type: 'Ready', status: 'False', message: 'no CNI configuration' } as const] },
    },
    { metadata: { name: 'node3' }, status: { conditions: [ready] } },
  ];
  assert.deepEqual(missingNodes(['node1', 'node2', 'node3', 'node4'], nodes), [
    'node2 is not Ready: no CNI configuration',
    'node3 is not Ready: it has no Pod CIDR',
    'node4 is not Ready: it is not registered',
  ]);
  assert.deepEqual(missingNodes(['node1'], nodes), []);
});
