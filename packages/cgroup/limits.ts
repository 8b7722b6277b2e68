import type { Controller, Limits } from './ports.ts';

/** A file of a group and what is written to it; an optional one is not there on every kernel. */
export interface LimitFile {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  readonly optional?: boolean;
}

/** Kubernetes' period: quotaPeriod in pkg/kubelet/cm/helpers_linux.go. Microseconds. */
const PERIOD = 100_000;
const MIN_QUOTA = 1_000;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;

/** cpu.shares of a request: MilliCPUToShares in pkg/kubelet/cm/helpers_linux.go. */
export function cpuShares(milli: number): number {
  return Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((milli * 1024) / 1000)));
}

/** cpu.weight of a request, 1 to 10000: KEP-2254, "Phase 1: convert from cgroups v1 settings to v2". */
export function cpuWeight(milli: number): number {
  return 1 + Math.floor(((cpuShares(milli) - MIN_SHARES) * 9999) / (MAX_SHARES - MIN_SHARES));
}

function quota(milli: number): number {
  return Math.max(MIN_QUOTA, Math.floor((milli * PERIOD) / 1000));
}

/** Documentation/admin-guide/cgroup-v1/memory.rst and pids.rst, Documentation/scheduler/sched-bwc.rst. */
export function v1Files(limits: Limits): readonly LimitFile[] {
  const { cpuRequestMilli, cpuLimitMilli, memoryLimit, pidsLimit } = limits;
  const files: LimitFile[] = [];
  if (cpuRequestMilli !== undefined)
    files.push({ controller: 'cpu', file: 'cpu.shares', value: String(cpuShares(cpuRequestMilli)) });
  if (cpuLimitMilli !== undefined)
    files.push(
      { controller: 'cpu', file: 'cpu.cfs_period_us', value: String(PERIOD) },
      { controller: 'cpu', file: 'cpu.cfs_quota_us', value: String(quota(cpuLimitMilli)) },
    );
  if (memoryLimit !== undefined) {
    const value = String(Math.floor(memoryLimit));
    files.push(
      { controller: 'memory', file: 'memory.limit_in_bytes', value },
      // Memory and swap together: there only where swap is accounted.
      { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value, optional: true },
    );
  }
  if (pidsLimit !== undefined) files.push({ controller: 'pids', file: 'pids.max', value: String(pidsLimit) });
  return files;
}

/** Documentation/admin-guide/cgroup-v2.rst */
export function v2Files(limits: Limits): readonly LimitFile[] {
  const { cpuRequestMilli, cpuLimitMilli, memoryLimit, pidsLimit } = limits;
  const files: LimitFile[] = [];
  if (cpuRequestMilli !== undefined)
    files.push({ controller: 'cpu', file: 'cpu.weight', value: String(cpuWeight(cpuRequestMilli)) });
  if (cpuLimitMilli !== undefined)
    files.push({ controller: 'cpu', file: 'cpu.max', value: `${quota(cpuLimitMilli)} ${PERIOD}` });
  if (memoryLimit !== undefined)
    files.push(
      { controller: 'memory', file: 'memory.max', value: String(Math.floor(memoryLimit)) },
      { controller: 'memory', file: 'memory.swap.max', value: '0', optional: true },
      // A container ends as a whole, as a kubelet since 1.28 has it.
      { controller: 'memory', file: 'memory.oom.group', value: '1', optional: true },
    );
  if (pidsLimit !== undefined) files.push({ controller: 'pids', file: 'pids.max', value: String(pidsLimit) });
  return files;
}
