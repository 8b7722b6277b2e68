/** The controllers that limits are made of. */
export const CONTROLLERS = ['cpu', 'memory', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** What a group of processes may use; what is left out is not limited. */
export interface Limits {
  /** Its part of a busy machine, in thousandths of a core. */
  readonly cpuRequestMilli?: number | undefined;
  /** Thousandths of a core. */
  readonly cpuLimitMilli?: number | undefined;
  /** Bytes; swap is not used beside it. */
  readonly memoryLimit?: number | undefined;
  /** Processes and threads. */
  readonly pidsLimit?: number | undefined;
}

/** A group of processes with limits. */
export interface Cgroup {
  /** A process that writes 0 to each of these files is in the group, and so is what it starts. */
  readonly joinFiles: readonly string[];
  /** How many of its processes the kernel has killed for want of memory. */
  oomKills(): number;
  /** Removes the group, whose processes have ended; the next to last of them may still be on its way out. */
  remove(): Promise<void>;
}

/** A tree of groups below one directory of this program's own. */
export interface Cgroups extends AsyncDisposable {
  /** Which limits are enforced here. */
  readonly enforced: ReadonlySet<Controller>;
  /** Why not all are, in words for a user; undefined when all are. */
  readonly obstacle: string | undefined;
  /** The tops of the tree, one for each hierarchy: what to hand to `removeCgroups` should this program be killed. */
  readonly directories: readonly string[];
  /**
   * Makes a group, and those above it without limits of their own.
   * @param path directory names below the top
   * @throws CgroupError
   */
  create(path: readonly string[], limits: Limits): Cgroup;
  /** Kills what is left in the tree, and removes it. */
  [Symbol.asyncDispose](): Promise<void>;
}
