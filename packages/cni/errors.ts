import { PodwayError } from '#runtime';

/** Error codes of the CNI specification 1.1.0, section 5; from 100 on a plugin's own. */
export const CNI_CODES = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  undecodable: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  notAvailable: 50,
  limitedConnectivity: 51,
  /** No address is left in a range. */
  exhausted: 100,
  /** CHECK found something other than what ADD left. */
  checkFailed: 101,
  /** A fixed address or host port is somebody else's. */
  taken: 102,
  internal: 999,
} as const;

export type CniCode = (typeof CNI_CODES)[keyof typeof CNI_CODES];

/** A failure that the container runtime is told of: `msg` one sentence, `details` what to do or look at. */
export class CniError extends PodwayError {
  readonly code = 'Cni';
  readonly cniCode: CniCode;
  readonly details: string | undefined;
  constructor(
    cniCode: CniCode,
    message: string,
    options: { readonly details?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.cniCode = cniCode;
    this.details = options.details;
  }
}

/** The error result a plugin prints (specification section 5, "Error"). */
export function errorResult(error: CniError, cniVersion: string): object {
  return {
    cniVersion,
    code: error.cniCode,
    msg: error.message,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}
