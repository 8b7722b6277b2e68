import { PodwayError } from '#runtime';

/** Something about a lab that its user must know or do; the message says which. */
export class LabError extends PodwayError {
  readonly code = 'Lab';
}
