import { PodwayError } from '#runtime';

/** Bytes that are not SPDY/3.1. */
export class SpdyError extends PodwayError {
  readonly code = 'Spdy';
}
