import assert from 'node:assert/strict';
import test from 'node:test';
import { parseIp } from '#ip';
import { nodeResolvers } from './node-resolvers.ts';

test('nodeResolvers: resolvers on the loopback and this server itself are left out', () => {
  const text = [
    'nameserver 127.0.0.53',
    'nameserver ::1',
    'nameserver 10.96.0.10',
    'nameserver 192.0.2.1',
    'nameserver not-an-address',
    'search example.com corp.example.',
  ].join('\n');
  assert.deepEqual(nodeResolvers(text, [parseIp('10.96.0.10')]), {
    upstreams: ['192.0.2.1'],
    searches: ['example.com', 'corp.example'],
    leftOut: ['127.0.0.53', '::1', '10.96.0.10', 'not-an-address'],
  });
});
