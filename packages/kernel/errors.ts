import { getSystemErrorMap } from 'node:util';
import { errnoNumber, PodwayError } from '#runtime';

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
