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

test('Metrics.observe: a histogram counts what is at or below each bound', () => {
  const metrics = new Metrics();
  for (const seconds of [0.5, 1, 1.5, 9]) metrics.observe('podway_wait_seconds', 'Waits.', [1, 2], seconds);
  assert.deepEqual(
    metrics
      .format()
      .split('\n')
      .filter((line) => line.includes('podway_')),
    [
      '# HELP podway_wait_seconds Waits.',
      '# TYPE podway_wait_seconds histogram',
      'podway_wait_seconds_bucket{le="1"} 2',
      'podway_wait_seconds_bucket{le="2"} 3',
      'podway_wait_seconds_bucket{le="+Inf"} 4',
      'podway_wait_seconds_sum 12',
      'podway_wait_seconds_count 4',
    ],
  );
});
