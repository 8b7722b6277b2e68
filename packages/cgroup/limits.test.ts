import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuShares, cpuWeight, v1Files, v2Files } from './limits.ts';

const lines = (files: ReturnType<typeof v1Files>) => files.map(({ file, value }) => `${file}=${value}`);

test('cpuShares, cpuWeight: as a kubelet has them', () => {
  for (const [milli, shares, weight] of [
    [0, 2, 1],
    [1, 2, 1],
    [100, 102, 4],
    [1000, 1024, 39],
    [300_000, 262_144, 10_000],
  ] as const) {
    assert.equal(cpuShares(milli), shares, `${milli}m`);
    assert.equal(cpuWeight(milli), weight, `${milli}m`);
  }
});

test('v1Files: all limits, and the smallest quota the kernel takes', () => {
  assert.deepEqual(
    lines(v1Files({ cpuRequestMilli: 250, cpuLimitMilli: 1, memoryLimit: 1000.5, pidsLimit: 7 })),
    [
      'cpu.shares=256',
      'cpu.cfs_period_us=100000',
      'cpu.cfs_quota_us=1000',
      'memory.limit_in_bytes=1000',
      'memory.memsw.limit_in_bytes=1000',
      'pids.max=7',
    ],
  );
});

test('v2Files: all limits', () => {
  assert.deepEqual(
    lines(v2Files({ cpuRequestMilli: 250, cpuLimitMilli: 1500, memoryLimit: 4096, pidsLimit: 7 })),
    [
      'cpu.weight=10',
      'cpu.max=150000 100000',
      'memory.max=4096',
      'memory.swap.max=0',
      'memory.oom.group=1',
      'pids.max=7',
    ],
  );
});

test('v1Files, v2Files: no limits, no files', () => {
  assert.deepEqual([v1Files({}), v2Files({})], [[], []]);
});
