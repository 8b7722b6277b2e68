import { PodwayError } from '#runtime';

/** The kernel refused to make or to set up a control group. */
export class CgroupError extends PodwayError {
  readonly code = 'Cgroup';
}
