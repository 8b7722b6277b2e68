import { PodwayError } from '#runtime';

type WireFault =
  | 'truncated' // the message ends inside something
  | 'bad-label' // a label type that does not exist (RFC 6891 section 5 ended extended labels)
  | 'bad-pointer' // a compression pointer that does not point backwards
  | 'name-too-long' // over 255 octets, or a label over 63
  | 'bad-name' // text that is no domain name
  | 'bad-data' // record data that does not fit its type
  | 'bad-edns' // more than one OPT, or one that is not the root's
  | 'too-large'; // what is encoded does not fit a message

/** A DNS message, or part of one, that cannot be read or written. The only error of this codec. */
export class WireError extends PodwayError {
  readonly code = 'DnsWire';
  readonly fault: WireFault;
  /** Octets into the message, where that means something. */
  readonly offset: number | undefined;

  constructor(fault: WireFault, detail: string, offset?: number) {
    super(`DNS message: ${detail}${offset === undefined ? '' : ` at octet ${offset}`}`);
    this.fault = fault;
    this.offset = offset;
  }
}
