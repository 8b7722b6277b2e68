import { PodwayError } from '#runtime';

/** A patch that is none, or that does not apply to the object: a server answers 400 and 422. */
export class PatchError extends PodwayError {
  readonly code = 'Patch';
  readonly problem: 'malformed' | 'inapplicable';

  constructor(problem: PatchError['problem'], message: string) {
    super(message);
    this.problem = problem;
  }
}
