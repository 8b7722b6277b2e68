import { readFileSync } from 'node:fs';
import { hasErrorCode } from '#runtime';

/** A process for good: a pid alone may be another process by the time it is used. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since the machine's boot: field 22 of /proc/PID/stat (proc(5)). */
  readonly startTime: number;
}

/** undefined when there is no such process, or only its zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startTime: Number(fields[19]) };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTime === identity.startTime;
}

/** Sends the signal if that very process still lives. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if (hasErrorCode(error, 'ESRCH')) return false;
    throw error;
  }
}

/** The first child of a process, by the kernel's list of them. */
export function firstChildOf(pid: number): ProcessIdentity | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    return child ? identifyProcess(Number(child)) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * When this process began, in milliseconds since the epoch, to the clock tick (10 ms): exec keeps it, so it is when a
 * launcher that became this process was started.
 */
export function processStartedAt(now: number): number {
  const ticks = identifyProcess(process.pid)?.startTime ?? 0;
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  return now - Math.max(0, uptimeMs - ticks * (1000 / CLOCK_TICKS_PER_SECOND));
}

/** USER_HZ: 100 on every architecture that Node runs on under Linux. */
const CLOCK_TICKS_PER_SECOND = 100;

/** Fields of /proc/PID/stat from the third on (state): the second, a command name, may hold spaces and parentheses. */
function statFields(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
