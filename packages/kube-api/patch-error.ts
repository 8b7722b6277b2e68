import { PodwayError } from '#runtime';
import type { Status } from './generated/types.ts';

/** A patch that is none, or that does not apply to the object. */
export class PatchError extends PodwayError {
  readonly code = 'Patch';
  readonly problem: 'malformed' | 'inapplicable';

  constructor(problem: PatchError['problem'], message: string) {
    super(message);
    this.problem = problem;
  }

  /** What a server answers. Source: apiserver pkg/endpoints/handlers/patch.go. */
  get failure(): Required<Pick<Status, 'code' | 'reason' | 'message'>> {
    return this.problem === 'malformed'
      ? { code: 400, reason: 'BadRequest', message: this.message }
      : {
          code: 422,
          reason: 'Invalid',
          message: `the server rejected our request due to an error in our request: ${this.message}`,
        };
  }
}
