import { addressBits, familyOf } from '#ip';
import { KernelError } from './errors.ts';
import { describeIpvsChange } from './ipvs-text.ts';
import type {
  IpvsChange,
  IpvsDestinationKey,
  IpvsService,
  IpvsServiceKey,
  IpvsTimeouts,
} from './ports/ipvs.ts';

/** A name reaches the kernel's module loader. IP_VS_SCHEDNAME_MAXLEN is 16 with the end. */
const SCHEDULER = /^[a-z0-9_-]{1,15}$/;
/** The kernel counts in ticks, up to 1000 a second, in 32 bits. */
const MAX_SECONDS = 4_294_967;
const MAX_WEIGHT = 0x7fffffff;

/** What makes no sense, although the kernel would take some of it and then balance nothing. @throws KernelError `EINVAL` */
export function checkIpvsChange(change: IpvsChange): void {
  const problem = problemOf(change);
  if (problem !== undefined)
    throw new KernelError({ errno: 'EINVAL', ...describeIpvsChange(change), detail: problem });
}

/** 0 would mean "as it was" to the kernel. @throws KernelError `EINVAL` */
export function checkIpvsTimeouts(timeouts: Partial<IpvsTimeouts>): void {
  for (const [name, seconds] of Object.entries(timeouts)) {
    const problem = rangeProblem('seconds', seconds, 1, MAX_SECONDS);
    if (problem !== undefined)
      throw new KernelError({
        errno: 'EINVAL',
        operation: 'set IPVS timeout',
        object: name,
        detail: problem,
      });
  }
}

function problemOf(change: IpvsChange): string | undefined {
  switch (change.op) {
    case 'add-service':
    case 'set-service':
      return portProblem(change.service) ?? serviceProblem(change.service);
    case 'add-destination':
    case 'set-destination':
      return (
        portProblem(change.service) ??
        portProblem(change.destination) ??
        rangeProblem('weight', change.destination.weight, 0, MAX_WEIGHT)
      );
    case 'delete-service':
      return portProblem(change.service);
    case 'delete-destination':
      return portProblem(change.service) ?? portProblem(change.destination);
  }
}

function serviceProblem(service: IpvsService): string | undefined {
  const { scheduler, port, protocol, persistentSeconds, persistencePrefix, onePacket, mark } = service;
  if (!SCHEDULER.test(scheduler)) return `${JSON.stringify(scheduler)} is no scheduler's name`;
  if (onePacket && protocol !== 'UDP') return 'one-packet scheduling is for UDP';
  if (persistentSeconds === undefined) {
    if (port === 0 && mark === undefined) return 'a service of every port needs persistence';
    if (persistencePrefix !== undefined) return 'a persistence prefix without persistence';
    return undefined;
  }
  return (
    rangeProblem('persistence in seconds', persistentSeconds, 1, MAX_SECONDS) ??
    (persistencePrefix === undefined
      ? undefined
      : rangeProblem('persistence prefix', persistencePrefix, 1, addressBits(familyOf(service.address))))
  );
}

function portProblem(key: IpvsServiceKey | IpvsDestinationKey): string | undefined {
  if ('mark' in key && key.mark !== undefined) return rangeProblem('mark', key.mark, 1, 0xffffffff);
  return rangeProblem('port', key.port, 0, 65535);
}

function rangeProblem(what: string, value: number, least: number, most: number): string | undefined {
  if (Number.isInteger(value) && value >= least && value <= most) return undefined;
  return `${what}: ${value} is not a whole number from ${least} to ${most}`;
}
