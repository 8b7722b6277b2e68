/**
 * Base of every error Podway throws on purpose. `code` is a literal in each subclass, so a union of errors can be
 * switched over; `cause` keeps what lay underneath. Expected outcomes are return values, not errors.
 */
export abstract class PodwayError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Bad input from a person or another program: `field` names where, `value` what was given. */
export class InvalidInputError extends PodwayError {
  readonly code = 'InvalidInput';
  readonly field: string;
  readonly value: unknown;
  constructor(field: string, value: unknown, reason: string) {
    super(`${field}: invalid value ${JSON.stringify(value)}: ${reason}`);
    this.field = field;
    this.value = value;
  }
}

/** The message of anything thrown, for logs and for people. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether it is an error of this code: of the system (`ENOENT`), or one of Podway's own. */
export function hasErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
