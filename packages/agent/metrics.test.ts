import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from './metrics.ts';

test('Metrics.format: Prometheus text, a family once, labels escaped, collectors asked each time', () => {
  const metrics = new Metrics();
  metrics.add('podway_cni_requests_total', 'Requests.', { command: 'ADD', code: '0' });
  metrics.add('podway_cni_requests_total', 'Requests.', { command: 'ADD', code: '0' });
  metrics.add('podway_cni_requests_total', 'Requests.', { command: 'a"\\\n' });
  let asked = 0;
  metrics.onCollect(() => metrics.set('podway_asked', 'How often.', ++asked));
  metrics.format();
  const lines = metrics.format().split('\n');
  assert.deepEqual(
    lines.filter((line) => line.includes('podway_')),
    [
      '# HELP podway_cni_requests_total Requests.',
      '# TYPE podway_cni_requests_total counter',
      'podway_cni_requests_total{command="ADD",code="0"} 2',
      'podway_cni_requests_total{command="a\\"\\\\\\n"} 1',
      '# HELP podway_asked How often.',
      '# TYPE podway_asked gauge',
      'podway_asked 2',
    ],
  );
  assert.ok(lines.some((line) => /^process_resident_memory_bytes [1-9][0-9]+$/.test(line)));
});
