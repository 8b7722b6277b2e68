import { PodwayError } from '#runtime';

/** A request that cannot be served: `status` is the HTTP code. */
export class RequestError extends PodwayError {
  readonly code = 'KubeletRequest';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The HTTP code for anything thrown. */
export function statusOf(error: unknown): number {
  return error instanceof RequestError ? error.status : 500;
}
