export { CgroupError } from './errors.ts';
export { joinCommand } from './join-command.ts';
export { openCgroups } from './open-cgroups.ts';
export type { Cgroup, Cgroups, Controller, Limits } from './ports.ts';
export { removeCgroups } from './remove-cgroups.ts';
