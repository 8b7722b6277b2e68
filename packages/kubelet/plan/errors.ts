import { PodwayError } from '#runtime';

/** The Pod asks for something that is not there (yet): shown as CreateContainerConfigError, or as FailedMount. */
export class PodConfigError extends PodwayError {
  readonly code = 'PodConfig';
}
