/** A token bucket (tc-tbf(8)). */
export interface RateLimit {
  /** Bits a second. */
  readonly rate: number;
  /** Bits that may go at once after a pause. */
  readonly burst: number;
}

/** Bandwidth. What arrives by a link is limited by sending it through an `ifb` link that has a limit. */
export interface ShapingPort {
  /**
   * Limits what leaves by the link, in place of a limit that is there. `ENODEV` when there is no such link.
   * @throws InvalidInputError for a rate or burst that the kernel cannot keep
   */
  limit(link: string, limit: RateLimit): void;
  /** undefined: no limit, or no link. The kernel may round both values down a little. */
  limitOf(link: string): RateLimit | undefined;
  /** Nothing there is not an error. */
  unlimit(link: string): void;
  /** Everything that arrives by `link` leaves by `target` first, and goes on as if it came by `link`. `ENODEV` without either. */
  redirectIngress(link: string, target: string): void;
  /** The link's target; undefined: none, or no link. */
  redirectOf(link: string): string | undefined;
  /** Nothing there is not an error. */
  unredirectIngress(link: string): void;
}
