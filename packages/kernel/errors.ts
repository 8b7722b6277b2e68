import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { PodwayError } from '#runtime';

/** Names that share a number with another; the other one is used. */
const ALIASES = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).flatMap(([name, number]) => (ALIASES.has(name) ? [] : [[number, name]])),
);

/** `EEXIST` for 17; `errno 530` for a number without a name. The sign does not matter. */
export function errnoName(errno: number): string {
  return NAMES.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/** The number of an errno name, 0 for an unknown one. */
export function errnoNumber(name: string): number {
  for (const [number, known] of NAMES) if (known === name) return number;
  return 0;
}

export interface KernelFailure {
  /** errno name: `EEXIST`, `ENODEV`, … */
  readonly errno: string;
  /** What was asked, as a verb and a noun: `add route`. */
  readonly operation: string;
  /** What it was asked of: `10.244.1.0/24 via 172.30.0.11`. */
  readonly object: string;
  /** The kernel's (or nft's) own words, when it had some: the extended ACK of netlink. */
  readonly detail?: string | undefined;
}

/** The kernel refused an operation. */
export class KernelError extends PodwayError implements KernelFailure {
  readonly code = 'Kernel';
  readonly errno: string;
  readonly operation: string;
  readonly object: string;
  readonly detail: string | undefined;

  constructor(failure: KernelFailure, options?: { readonly cause?: unknown }) {
    const meaning = getSystemErrorMap().get(-errnoNumber(failure.errno))?.[1];
    const words = [failure.detail, meaning].find((text) => text !== undefined && text !== '');
    super(
      `cannot ${failure.operation} ${failure.object}: ${failure.errno}${words === undefined ? '' : `: ${words}`}`,
      options,
    );
    this.errno = failure.errno;
    this.operation = failure.operation;
    this.object = failure.object;
    this.detail = failure.detail;
  }
}

/** Bytes from the kernel that do not have the form its headers promise. */
export class NetlinkFormatError extends PodwayError {
  readonly code = 'NetlinkFormat';
}

/** True for a KernelError with one of these errno names. */
export function isKernelError(error: unknown, ...errnos: readonly string[]): error is KernelError {
  return error instanceof KernelError && errnos.includes(error.errno);
}
