import { PodwayError } from '#runtime';

export type UpstreamFault =
  | 'timeout'
  | 'unreachable' // the network or the server's host refused
  | 'closed' // a connection ended before its answer
  | 'malformed'; // over a connection, what came was no answer to the question

/** An upstream resolver that gave no usable reply. */
export class UpstreamError extends PodwayError {
  readonly code = 'DnsUpstream';
  readonly fault: UpstreamFault;
  readonly upstream: string;

  constructor(
    upstream: string,
    fault: UpstreamFault,
    detail: string,
    options?: { readonly cause?: unknown },
  ) {
    super(`upstream ${upstream}: ${detail}`, options);
    this.fault = fault;
    this.upstream = upstream;
  }
}
